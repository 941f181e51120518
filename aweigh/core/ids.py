"""New ids and secrets."""

import base64
import hashlib
import secrets
from typing import Literal

import uuid_utils

Kind = Literal["app", "dep", "rel", "srv", "chn", "tok"]


def new_id(kind: Kind) -> str:
    """A prefix and a base32 UUIDv7: ids of one kind sort by the time they were made.

    The "extended hex" alphabet, whose order is that of the digits' values.
    """
    return f"{kind}_{base64.b32hexencode(uuid_utils.uuid7().bytes).decode().rstrip('=').lower()}"


def new_secret(prefix: str) -> str:
    """256 random bits behind a prefix that secret scanners can recognise."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    """What is kept of a secret that is only ever compared; it needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
