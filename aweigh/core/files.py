"""Small files: written atomically, and read from archives."""

import io
import os
import tarfile
from pathlib import Path


def write_durably(path: Path, text: str, temporary: Path | None = None, mode: int = 0o600) -> None:
    """Replace `path` by an atomic rename that survives a power failure.

    `temporary` must be on the same file system; by default it is next to the file.
    """
    temporary = temporary or path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames and removals in this directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def first_file(archive: bytes) -> bytes | None:
    """Return the content of a tar's first entry; None if that is not a file."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        entry = tar.next()
        content = tar.extractfile(entry) if entry and entry.isreg() else None
        return content.read() if content else None
