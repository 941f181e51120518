"""Encryption at rest: Fernet tokens with the id of their key and their owner.

A stored value is `v1:<key id>:<fernet token>`. Fernet has no associated data, so the owner (table,
column and id) is part of the plaintext and checked on decryption: a value copied to another row
cannot be opened there.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from aweigh.core.errors import StartupError, Unreadable
from aweigh.core.files import sync_directory, write_durably

_VERSION: Final = "v1"
_KEY_ID_BYTES: Final = 4
#: Length of `v1:<key id>:`, by which SQL can count the keys in use.
PREFIX_LENGTH: Final = len(_VERSION) + 1 + 2 * _KEY_ID_BYTES + 1


class SealBroken(Unreadable):
    """A stored value does not open: wrong key, wrong owner, or damaged."""


@dataclass(frozen=True, kw_only=True)
class SealOwner:
    """The object that a value belongs to."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


_DECOY: Final = SealOwner(kind="decoy", id="")


class Vault:
    """Seals with the current key, opens with any key in the file.

    For an unknown key id it reads the file again: the keys may have been rotated.
    """

    def __init__(self, keys: Mapping[str, Fernet], path: Path | None = None) -> None:
        self._keys = dict(keys)
        self._path = path
        self.current = next(iter(self._keys))
        self._decoy = self.seal(_DECOY, secrets.token_urlsafe(32))

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(self._keys)

    def seal(self, owner: SealOwner, text: str) -> str:
        token = self._keys[self.current].encrypt(f"{owner}\n{text}".encode())
        return f"{_VERSION}:{self.current}:{token.decode()}"

    def open(self, owner: SealOwner, sealed: str) -> str:
        """Decrypt a value. Raises: SealBroken."""
        key_id = key_id_of(sealed)
        if key_id not in self._keys and self._path:
            self._keys = dict(_read_keys(self._path))
        if key_id not in self._keys:
            raise SealBroken(f"{owner} is sealed with key {key_id}, which is not in the keys file")
        try:
            plain = self._keys[key_id].decrypt(sealed[PREFIX_LENGTH:].encode()).decode()
        except InvalidToken as error:
            raise SealBroken(f"{owner} cannot be decrypted with key {key_id}") from error
        sealed_for, _, text = plain.partition("\n")
        if sealed_for != str(owner):
            raise SealBroken(f"the stored value of {owner} was sealed for {sealed_for}")
        return text

    def open_decoy(self) -> str:
        """Open a worthless secret, to take as long as opening a real one."""
        return self.open(_DECOY, self._decoy)


def key_id_of(sealed: str) -> str:
    return sealed[len(_VERSION) + 1 : PREFIX_LENGTH - 1]


def _new_line() -> str:
    return f"{secrets.token_hex(_KEY_ID_BYTES)} {Fernet.generate_key().decode()}\n"


def create_keys(path: Path) -> None:
    """Write a keys file with one new key, readable by its owner only."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(_new_line())
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def add_key(path: Path) -> None:
    """Add a new current key before the others, by an atomic rename."""
    write_durably(path, _new_line() + path.read_text())


def _read_keys(path: Path) -> dict[str, Fernet]:
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return {key_id: Fernet(key) for key_id, key in lines}


def load_vault(path: Path) -> Vault:
    """Read the keys file: one `<id> <key>` per line, the current one first.

    Raises:
        StartupError: the file is missing, readable by others, or not a keys file.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise StartupError(f"{path} can be read by others; run: chmod 600 {path}")
        return Vault(_read_keys(path), path)
    except FileNotFoundError as error:
        raise StartupError(
            f"the keys file {path} is missing; restore it from a backup, or make a new "
            "installation with `aweigh install`"
        ) from error
    except (ValueError, StopIteration) as error:
        raise StartupError(f"{path} is not a keys file: {error}") from error
