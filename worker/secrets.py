"""Small secret files on this machine, which is all that a server worker needs."""

import os
import secrets
from pathlib import Path

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings

ADMIN = "admin"


def make_private(directory: Path) -> None:
    """Create a directory that only its owner can enter, if it is absent.

    Raises:
        StartupError: it cannot be created.
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
    """Return a secret file's content. Raises: StartupError."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error


def identity_of(settings: Settings) -> str:
    """Return the random identity of this server's data, created at the first start."""
    path = settings.server_data / "identity"
    make_private(path.parent)
    if not path.exists():
        write_secret(path, secrets.token_hex(16))
    return read_secret(path)


def read_serving(settings: Settings) -> int | None:
    """Return the process id of the server worker that last started to serve this data."""
    path = settings.server_data / "serving"
    text = path.read_text() if path.exists() else ""
    return int(text) if text.isdigit() else None
