"""What a caller of a deploy hook asks for: a tag, and fields that mean nothing here."""

import difflib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from aweigh.core import grammar
from aweigh.core.errors import Invalid

#: What other systems call a tag.
_OTHER_WORDS: Final = frozenset(
    {"version", "ref", "release", "imagetag", "image", "commit", "sha", "revision", "branch"}
)
#: What one of them is a part of: `tag_name`, `dockerTag`, `app_version`, `git_ref`, `commit_sha`.
_OTHER_PARTS: Final = frozenset({"tag", "tags", "version", "ref", "sha", "digest"})
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ALIKE: Final = 0.66  # `tga`, `tags`, `ta`
#: Fields of a body that a person wrote; what registries send of themselves is larger and nested.
_FEW: Final = 3
_MOST_TOLD: Final = 20
_LONGEST_TOLD: Final = 100


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The tag, and names of fields that were not looked at."""

    tag: str | None
    ignored: tuple[str, ...] = ()


def read(body: bytes, query: str | None) -> Asked:
    """Return what body and query ask for together.

    Raises:
        Invalid: the body is no JSON object, or has another word where `tag` was meant.
    """
    if not body.strip():
        return Asked(tag=query)
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
    return Asked(tag=asked, ignored=tuple(names))


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("body", "is not JSON") from error
    if not isinstance(parsed, dict):
        raise Invalid("body", "is not a JSON object")
    for name in parsed:  # the answer may have it
        try:
            grammar.text(name)
        except ValueError as error:
            raise Invalid("body", f"the name of a field {error}") from error
    return parsed


def _refuse_other_words(parsed: dict[str, Any]) -> None:
    """What is live would be deployed, and the caller take that for what he asked for."""
    nested = any(isinstance(value, dict | list) for value in parsed.values())
    if nested or len(parsed) > _FEW:
        return  # a registry's own words
    for name in parsed:
        word = "".join(char for char in name.lower() if char.isalnum())
        parts = {part.lower() for part in _PARTS.findall(name)}
        alike = difflib.SequenceMatcher(None, word, "tag").ratio() > _ALIKE
        if parts & _OTHER_PARTS or word in _OTHER_WORDS or alike:
            raise Invalid(name[:_LONGEST_TOLD], "is not known here: a tag is given as `tag`")
