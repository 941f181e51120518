"""Submodules: what a repository says of them, and what of that is believed.

`.gitmodules` is written by whoever writes the repository, so git never acts on it here. It is read,
and each submodule is fetched like a repository of its own, at the commit its superproject names.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aweigh.builds.source.repository import Token, owner_of, path_on, repository_url
from aweigh.deployments.source import GitSource

#: So many in one repository, and so deep in each other, are followed.
MOST: Final = 200
DEEPEST: Final = 8
_SETTING: Final = re.compile(r"submodule\.(?P<name>.+)\.(?P<key>path|url|update) (?P<value>.+)")
#: `git ls-tree`: mode, type and id of a commit of another repository, and where it belongs.
_LINK: Final = re.compile(r"160000 commit (?P<commit>[0-9a-f]{40}(?:[0-9a-f]{24})?)\t(?P<path>.+)")


class BadSubmodule(ValueError):
    """What the repository says of a submodule cannot be followed; the message begins with it."""


@dataclass(frozen=True)
class Submodule:
    """`url` is as `.gitmodules` has it, which may be relative to the superproject's."""

    path: str
    url: str
    commit: str


def is_link(line: str) -> bool:
    """Whether a line of `git ls-tree` is about a submodule."""
    return _LINK.fullmatch(line) is not None


def read_submodules(links: Iterable[str], settings: Iterable[str]) -> list[Submodule]:
    """The submodules of a commit: lines of `git ls-tree`, and of `git config --get-regexp`.

    Those that say `update = none` are left out, as git does.

    Raises:
        BadSubmodule: one has no address, would stand elsewhere, or there are too many.
    """
    known: dict[str, dict[str, str]] = {}
    for match in filter(None, map(_SETTING.fullmatch, settings)):
        known.setdefault(match["name"], {})[match["key"]] = match["value"]
    by_path = {one["path"]: one for one in known.values() if "path" in one}
    found: list[Submodule] = []
    for match in filter(None, map(_LINK.fullmatch, links)):
        path = match["path"]
        if not _stays_inside(path):
            raise BadSubmodule(f"{path!r} is not a path inside the repository")
        said = by_path.get(path, {})
        if said.get("update") == "none":
            continue
        if "url" not in said:
            raise BadSubmodule(f"{path!r} has no address in .gitmodules")
        found.append(Submodule(path, said["url"], match["commit"]))
    if len(found) > MOST:
        raise BadSubmodule(f"{found[MOST].path!r} is one too many: {MOST} are followed")
    return found


def source_of(submodule: Submodule, superproject: GitSource, depth: int = 1) -> GitSource:
    """A submodule as a source; only one of the same owner gets the superproject's credentials.

    `depth` is 1 for one of the application's own repository.

    Raises:
        BadSubmodule: its address is not one that can be fetched from safely, or it is too deep.
    """
    if depth > DEEPEST:
        raise BadSubmodule(f"{submodule.path!r} is too deep: {DEEPEST} levels are followed")
    try:
        url = _by_token(_absolute(submodule.url, superproject.repository), superproject)
    except ValueError as error:
        raise BadSubmodule(f"{submodule.path!r}: its address {submodule.url!r} {error}") from error
    own = url.startswith(owner_of(superproject.repository))
    credentials = superproject.credentials if own else None
    return superproject.model_copy(update={"repository": url, "credentials": credentials})


def _stays_inside(path: str) -> bool:
    parts = path.split("/")
    strange = {"", ".", ".."} & set(parts) or any(part.lower() == ".git" for part in parts)
    return not strange and path.isprintable() and not path.startswith('"')


def _absolute(url: str, superproject: str) -> str:
    """An address in its stored form; a relative one begins at the superproject's.

    Raises:
        ValueError: it is not one that can be fetched from safely; says why.
    """
    if not url.startswith(("./", "../")):
        return repository_url(url)
    root, _, path = superproject.partition("://")[2].partition("/")
    parts = path.split("/")
    for step in url.rstrip("/").split("/"):
        if step == ".." and not parts:
            raise ValueError("leads out of the repository's host")
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return repository_url(f"{urlsplit(superproject).scheme}://{root}/{'/'.join(parts)}")


def _by_token(url: str, superproject: GitSource) -> str:
    """The same repository over https, where that is what there is a token for."""
    there, here = urlsplit(url), urlsplit(superproject.repository)
    ours = isinstance(superproject.credentials, Token) and there.netloc == f"git@{here.netloc}"
    return f"https://{here.netloc}/{path_on(url)}" if ours and here.scheme == "https" else url
