"""`Idempotency-Key`: a call that is repeated makes what the first one made."""

import hashlib
import json
from typing import Annotated

from fastapi import Header

from aweigh.core import grammar
from aweigh.core.errors import Invalid
from aweigh.store.idempotency import Key

KeyHeader = Annotated[str | None, Header(alias="Idempotency-Key")]


def key_of(door: str, value: str | None, **asked: str | bool | None) -> Key | None:
    """The caller's key, with a hash of what it asked for.

    Raises:
        Invalid: it is not a key.
    """
    if value is None:
        return None
    if not grammar.matches(grammar.IDEMPOTENCY_KEY, value):
        raise Invalid("Idempotency-Key", "holds 1 to 255 printable ASCII characters, no spaces")
    body = json.dumps(asked, sort_keys=True)
    return Key(door=door, value=value, body_hash=hashlib.sha256(body.encode()).hexdigest())
