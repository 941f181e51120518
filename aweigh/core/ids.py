"""New ids and secrets."""

import base64
import hashlib
import secrets
from typing import Literal

import uuid_utils

Kind = Literal["app", "dep", "rel", "srv", "chn", "dlv", "msg", "tok"]


def new_id(kind: Kind) -> str:
    """Return a prefix and a base32 UUIDv7: ids of one kind sort by creation time.

    Base32 uses the "extended hex" alphabet, whose order is that of the digits' values.
    """
    return f"{kind}_{base64.b32hexencode(uuid_utils.uuid7().bytes).decode().rstrip('=').lower()}"


def new_secret(prefix: str) -> str:
    """Return 256 random bits with a prefix that secret scanners can recognise."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    """Return the stored form of a random secret, which needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
