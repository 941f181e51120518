"""Small secret files of this machine; a server worker needs no more, and no database."""

import os
import secrets
from pathlib import Path

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings

ADMIN = "admin"


def make_private(directory: Path) -> None:
    """Make a directory that only its owner can enter, if it is not there; its parents are not so.

    Raises:
        StartupError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartupError(f"cannot make the directory {directory}: {error.strerror}") from error


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def read_secret(path: Path) -> str:
    """Raises: StartupError."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error


def identity_of(settings: Settings) -> str:
    """The random identity of this server's data, made at its first start."""
    path = settings.server_data / "identity"
    make_private(path.parent)
    if not path.exists():
        write_secret(path, secrets.token_hex(16))
    return read_secret(path)


def read_serving(settings: Settings) -> int | None:
    """The process id of the server worker that last began to serve this data."""
    path = settings.server_data / "serving"
    text = path.read_text() if path.exists() else ""
    return int(text) if text.isdigit() else None
