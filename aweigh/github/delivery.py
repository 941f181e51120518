"""Checks of a delivery before its sender is known, at a bounded cost.

The body is untrusted until its signature is verified, and may have 25 MB. Before that it is not
parsed as a whole; only the named repository is searched for, which leads to the secrets to try.
"""

import binascii
import hmac
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from aweigh.github.push import RepositoryEvent

#: Each secret hashes the body once more: the most bytes to hash, and the most secrets.
MOST_HASHED: Final = 128 * 1024**2
MOST_SECRETS: Final = 256
#: A body has about as many values as commas. A million take a parser 60 ms; the largest pushes,
#: whose values are paths, have fewer.
MOST_VALUES: Final = 1_000_000

_SIGNATURE: Final = re.compile(r"sha256=[0-9a-f]{64}")
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 10
_NAME: Final = b'"repository"'
_OPENED: Final = re.compile(rb"\s{0,8}:\s{0,8}(?=\{)")
#: GitHub's description of a repository takes 7 KB.
_DESCRIPTION: Final = 64 * 1024
#: The most objects of that name that are parsed, and the most occurrences of the name, which may
#: also be a file's.
_MOST_OBJECTS: Final = 8
_MOST_PLACES: Final = 50_000


def is_signature(text: str) -> bool:
    return _SIGNATURE.fullmatch(text) is not None


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether this secret signed the raw bytes; in constant time."""
    expected = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(expected.encode(), signature.encode())


def signing(body: bytes, signature: str, secrets: Iterable[str]) -> frozenset[str]:
    """Return the secrets that signed the raw bytes; each is tried once, up to a bound."""
    most = max(1, min(MOST_SECRETS, MOST_HASHED // max(len(body), 1)))
    tried = islice(dict.fromkeys(secrets), most)
    return frozenset(one for one in tried if is_signed(body, signature, one))


def payload_of(body: bytes, content_type: str) -> bytes:
    """Return the JSON of a delivery, which is sent in a form unless the webhook says otherwise."""
    if not content_type.startswith(_FORM):
        return body
    fields = dict(field.partition(b"=")[::2] for field in body.split(b"&", _MOST_FIELDS))
    return _unquoted(fields.get(b"payload", b""))


def _unquoted(text: bytes) -> bytes:
    """The bytes of a form's field: anybody may send megabytes of escapes, which `urllib` takes ten
    seconds and gigabytes for; quoted-printable is the same with another sign, and done in C."""
    return binascii.a2b_qp(text.replace(b"+", b" ").replace(b"=", b"=3D").replace(b"%", b"="))


def is_readable(payload: bytes) -> bool:
    """Whether parsing is quick enough: it delays all other work meanwhile."""
    return payload.count(b",") <= MOST_VALUES


def named_repositories(payload: bytes) -> tuple[RepositoryEvent, ...]:
    """Return the repositories that the body names, without parsing the rest of it.

    Unverified until the signature is. Quotes within strings are escaped, so that no text in a
    delivery, such as a commit's message, is taken for the name.
    """
    found: dict[tuple[str, str | None], RepositoryEvent] = {}
    for place in islice(_places(payload), _MOST_OBJECTS):
        if event := _event_at(payload, place):
            found.setdefault((event.repository.clone_url, event.repository.identity), event)
    return tuple(found.values())


def _places(payload: bytes) -> Iterator[int]:
    """Yield the offsets of objects with the name `repository`."""
    at = 0
    for _ in range(_MOST_PLACES):
        at = payload.find(_NAME, at)
        if at < 0:
            return
        at += len(_NAME)
        if opened := _OPENED.match(payload, at):
            yield opened.end()


def _event_at(payload: bytes, place: int) -> RepositoryEvent | None:
    text = payload[place : place + _DESCRIPTION].decode(errors="replace")
    try:
        described: Any = json.JSONDecoder().raw_decode(text)[0]
        return RepositoryEvent.model_validate({"repository": described})
    except (ValueError, RecursionError, ValidationError):
        return None
