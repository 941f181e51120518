"""The body of a deploy hook's call: a tag, and fields that are ignored."""

import difflib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from aweigh.core import grammar
from aweigh.core.errors import Invalid

#: Other systems' words for a tag.
_OTHER_WORDS: Final = frozenset(
    {"version", "ref", "release", "imagetag", "image", "commit", "sha", "revision", "branch"}
)
#: Parts of such words: `tag_name`, `dockerTag`, `app_version`, `git_ref`, `commit_sha`.
_OTHER_PARTS: Final = frozenset({"tag", "tags", "version", "ref", "sha", "digest"})
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ALIKE: Final = 0.66  # `tga`, `tags`, `ta`
#: The most fields of a body that a person wrote; the bodies of registries are larger and nested.
_FEW: Final = 3
_MOST_TOLD: Final = 20
_LONGEST_TOLD: Final = 100


@dataclass(frozen=True, kw_only=True)
class HookRequest:
    """The requested tag, and the names of the ignored fields."""

    tag: str | None
    ignored: tuple[str, ...] = ()


def read(body: bytes, query: str | None) -> HookRequest:
    """Return the request of body and query together.

    Raises:
        Invalid: the body is not a JSON object, or has another word in place of `tag`.
    """
    if not body.strip():
        return HookRequest(tag=query)
    parsed = _object(body)
    tag = parsed.pop("tag", None)
    if tag is not None and not isinstance(tag, str):
        raise Invalid("tag", "is not a string")
    if tag is not None and query is not None and tag != query:
        raise Invalid("tag", "differs between body and query")
    asked = query if tag is None else tag
    if asked is None:
        _refuse_other_words(parsed)
    names = [name[:_LONGEST_TOLD] for name in parsed][:_MOST_TOLD]
    return HookRequest(tag=asked, ignored=tuple(names))


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("body", "is not JSON") from error
    if not isinstance(parsed, dict):
        raise Invalid("body", "is not a JSON object")
    for name in parsed:  # the answer may contain it
        try:
            grammar.text(name)
        except ValueError as error:
            raise Invalid("body", f"has a field whose name {error}") from error
    return parsed


def _refuse_other_words(parsed: dict[str, Any]) -> None:
    """Refuse them: the live image would be deployed, and the caller would take it for the tag."""
    nested = any(isinstance(value, dict | list) for value in parsed.values())
    if nested or len(parsed) > _FEW:
        return  # a registry's own body
    for name in parsed:
        word = "".join(char for char in name.lower() if char.isalnum())
        parts = {part.lower() for part in _PARTS.findall(name)}
        alike = difflib.SequenceMatcher(None, word, "tag").ratio() > _ALIKE
        if parts & _OTHER_PARTS or word in _OTHER_WORDS or alike:
            raise Invalid(name[:_LONGEST_TOLD], "is unknown; give the tag as `tag`")
