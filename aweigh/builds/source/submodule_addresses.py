"""Reads submodules and decides which of their addresses can be trusted.

A repository's author controls `.gitmodules`, so git never acts on it. Each submodule is fetched as
a separate repository, at the commit that its superproject names.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aweigh.deployments.repository import Token, owner_of, path_on, repository_url
from aweigh.deployments.source import GitSource

#: Limits for the number of submodules in one repository, and for their nesting.
MOST: Final = 200
DEEPEST: Final = 8
_SETTING: Final = re.compile(r"submodule\.(?P<name>.+)\.(?P<key>path|url|update) (?P<value>.+)")
#: A line of `git ls-tree`: mode, type, id of the submodule's commit, and path.
_LINK: Final = re.compile(r"160000 commit (?P<commit>[0-9a-f]{40}(?:[0-9a-f]{24})?)\t(?P<path>.+)")


class BadSubmodule(ValueError):
    """A submodule cannot be fetched; the message begins with its path."""


@dataclass(frozen=True)
class Submodule:
    """A submodule; `url` is as written in `.gitmodules`, possibly relative."""

    path: str
    url: str
    commit: str


def is_link(line: str) -> bool:
    """Whether a line of `git ls-tree` is a submodule."""
    return _LINK.fullmatch(line) is not None


def read_submodules(links: Iterable[str], settings: Iterable[str]) -> list[Submodule]:
    """Return a commit's submodules from the output of `git ls-tree` and `git config --get-regexp`.

    Submodules with `update = none` are left out, as in git.

    Raises:
        BadSubmodule: one has no address, or a path outside the repository, or there are too many.
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
        raise BadSubmodule(f"{found[MOST].path!r} exceeds the limit of {MOST} submodules")
    return found


def source_of(submodule: Submodule, superproject: GitSource, depth: int = 1) -> GitSource:
    """Return a submodule as a source, with the superproject's credentials if the owner is the same.

    `depth` is 1 for a submodule of the application's repository.

    Raises:
        BadSubmodule: its address is unsafe, or it is nested too deeply.
    """
    if depth > DEEPEST:
        raise BadSubmodule(f"{submodule.path!r} is nested deeper than {DEEPEST} levels")
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
    """Return an address in its stored form; a relative one is resolved against the superproject's.

    Raises:
        ValueError: the address cannot be fetched from safely; the message says why.
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
    """Return the https form of an ssh address if the superproject has a token for its server."""
    there, here = urlsplit(url), urlsplit(superproject.repository)
    ours = isinstance(superproject.credentials, Token) and there.netloc == f"git@{here.netloc}"
    return f"https://{here.netloc}/{path_on(url)}" if ours and here.scheme == "https" else url
