"""`Idempotency-Key`: a repeated call returns what the first one made."""

import hashlib
import json
from typing import Annotated

from fastapi import Header

from aweigh.core import grammar
from aweigh.core.errors import Invalid
from aweigh.store.idempotency import Key

KeyHeader = Annotated[str | None, Header(alias="Idempotency-Key")]


def key_of(endpoint: str, value: str | None, **asked: str | bool | None) -> Key | None:
    """Return the caller's key with a hash of the request.

    Raises:
        Invalid: the key is invalid.
    """
    if value is None:
        return None
    if not grammar.matches(grammar.IDEMPOTENCY_KEY, value):
        raise Invalid("Idempotency-Key", "holds 1 to 255 printable ASCII characters, no spaces")
    body = json.dumps(asked, sort_keys=True)
    return Key(endpoint=endpoint, value=value, body_hash=hashlib.sha256(body.encode()).hexdigest())
