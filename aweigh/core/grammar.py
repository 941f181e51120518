"""The grammars of everything that becomes part of a rule, a name or a path.

A value that matches its grammar needs no quoting in a Traefik rule, an engine name or a file name,
so nothing is escaped elsewhere.
"""

import hashlib
import re
import unicodedata
from typing import Final

_LONGEST_SLUG: Final = 40
SLUG = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
# Also matches slugs of older versions, which could end in a dash; engines rejected their images.
KNOWN_SLUG = re.compile(r"[a-z][a-z0-9-]{0,39}")
# No dash: it ends the prefix in every name on the engine.
PREFIX = re.compile(r"[a-z][a-z0-9]{0,19}")
NETWORK_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}")
# Every name that an ARG instruction can declare without quotes; only searched for, never written.
ARG_NAME = re.compile(r"[^\s\x00-\x20\x7f='\"\\`$]{1,255}")
SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
LABEL_KEY = re.compile(r"[a-z0-9]([a-z0-9._/-]{0,126}[a-z0-9])?")
# RFC 1123 host names, lower case, at most 253 characters; no wildcards, no ports.
HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
# RFC 3986 path characters without percent-encoding, quotes, backticks or braces.
URL_PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@/-]{0,254}")
MOUNT_PATH = re.compile(r"/[A-Za-z0-9._@+/-]{0,255}")
ENTITY_ID = re.compile(r"(app|dep|rel|srv|chn|dlv|tok|evt)_[0-9a-v]{26}")
# Ids, and names of locks: exactly one part of a path.
PATH_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
HOOK = re.compile(r"hook_[A-Za-z0-9_-]{43}")
SECRET = re.compile(r"awds_[A-Za-z0-9_-]{43}")
TOKEN = re.compile(r"awg_[A-Za-z0-9_-]{43}")
EVENT_ID = re.compile(r"[0-9]{1,18}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")

#: The maximum length of a file name, because each build variable becomes a file.
LONGEST_VARIABLE_NAME = 255

RESERVED_LABEL_PREFIXES = ("aweigh.", "traefik.")


def matches(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text) is not None


def path_part(text: str, pattern: re.Pattern[str] = PATH_PART) -> str:
    """Return the text if it is safe as one part of a path.

    Raises:
        ValueError: it could be more than the name of one file or directory.
    """
    if not matches(pattern, text):
        raise ValueError(f"{text[:100]!r} is not a valid file name for Aweigh")
    return text


def is_plain_path(path: str) -> bool:
    """Whether a path contains no `.`, `..` or empty parts, which would change its meaning."""
    parts = path.removeprefix("/").removesuffix("/").split("/")
    return path == "/" or all(part not in ("", ".", "..") for part in parts)


def text(value: str) -> str:
    """Return the text if every database, engine and process accepts it.

    Raises:
        ValueError: it contains a NUL character or a lone surrogate.
    """
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("contains a NUL character or a lone surrogate")
    return value


def variable_name(name: str) -> str:
    """Return the name if it is valid for an environment variable.

    Raises:
        ValueError: it does not.
    """
    if not name or "=" in name or len(name.encode(errors="replace")) > LONGEST_VARIABLE_NAME:
        raise ValueError(
            f"{name[:100]!r} is not an environment variable name: it is empty, holds '=', or is "
            f"longer than {LONGEST_VARIABLE_NAME} bytes"
        )
    try:
        return text(name)
    except ValueError as error:
        raise ValueError(f"{name[:100]!r} is not an environment variable name: {error}") from error


def build_variable_name(name: str) -> str:
    """Return the name of a Buildpacks build variable, each of which becomes a file.

    Raises:
        ValueError: it is invalid, or would be more than the name of one file.
    """
    if "/" in name or name in (".", ".."):
        raise ValueError(
            f"{name[:100]!r} is not a build variable name: buildpacks read each variable from a "
            "file of that name, so '/', '.' and '..' are not allowed"
        )
    return variable_name(name)


def slug_of(name: str) -> str:
    """Return the slug of a name: lower-case ASCII, with a dash for all other characters.

    Accents are removed (`Café` becomes `cafe`). A slug that would start with a digit gets the
    prefix `app-`. A name without usable characters becomes `app-` and a part of its hash.
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(char for char in letters if not unicodedata.combining(char))
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not slug:
        slug = hashlib.sha256(name.encode()).hexdigest()[:8]
        return f"app-{slug}"
    if slug[0].isdigit():
        slug = f"app-{slug}"
    return slug[:_LONGEST_SLUG].rstrip("-")
