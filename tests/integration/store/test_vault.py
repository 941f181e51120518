"""Encryption at rest: which key seals, which opens, and for whom."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from aweigh.core.errors import StartupError
from aweigh.secrets.vault import (
    PREFIX_LENGTH,
    SealBroken,
    SealOwner,
    Vault,
    add_key,
    create_keys,
    key_id_of,
    load_vault,
)

OWNER = SealOwner(kind="applications.settings", id="app_1")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    create_keys(path)
    return path


def test_what_was_sealed_opens_for_its_owner(keys: Path) -> None:
    vault = load_vault(keys)

    assert vault.open(OWNER, vault.seal(OWNER, "geheim\nzwei Zeilen ü")) == "geheim\nzwei Zeilen ü"


def test_a_sealed_value_shows_its_key_and_nothing_of_the_text(keys: Path) -> None:
    vault = load_vault(keys)

    sealed = vault.seal(OWNER, "correct horse")

    assert sealed[:PREFIX_LENGTH] == f"v1:{vault.current}:"
    assert key_id_of(sealed) == vault.current
    assert "horse" not in sealed


def test_the_same_text_is_sealed_differently_each_time(keys: Path) -> None:
    vault = load_vault(keys)

    assert vault.seal(OWNER, "x") != vault.seal(OWNER, "x")


@pytest.mark.parametrize(
    "other",
    [
        SealOwner(kind="applications.settings", id="app_2"),
        SealOwner(kind="applications.secret", id="app_1"),
    ],
)
def test_a_value_copied_to_another_place_does_not_open(keys: Path, other: SealOwner) -> None:
    vault = load_vault(keys)

    with pytest.raises(SealBroken, match=r"was sealed for applications\.settings/app_1"):
        vault.open(other, vault.seal(OWNER, "x"))


def test_a_text_that_looks_like_an_owner_does_not_pass_for_one(keys: Path) -> None:
    vault = load_vault(keys)
    other = SealOwner(kind="applications.settings", id="app_2")

    with pytest.raises(SealBroken):
        vault.open(other, vault.seal(OWNER, f"{other}\nx"))


def test_old_values_open_after_a_rotation_and_new_ones_get_the_new_key(keys: Path) -> None:
    old = load_vault(keys)
    sealed = old.seal(OWNER, "x")

    add_key(keys)
    rotated = load_vault(keys)

    assert rotated.open(OWNER, sealed) == "x"
    assert rotated.current != old.current
    assert key_id_of(rotated.seal(OWNER, "x")) == rotated.current
    assert rotated.key_ids == {old.current, rotated.current}


def test_a_vault_that_is_open_learns_of_a_rotation(keys: Path) -> None:
    running = load_vault(keys)
    add_key(keys)

    sealed = load_vault(keys).seal(OWNER, "x")

    assert running.open(OWNER, sealed) == "x"


def test_an_unknown_key_is_named(keys: Path, tmp_path: Path) -> None:
    create_keys(tmp_path / "other")
    sealed = load_vault(tmp_path / "other").seal(OWNER, "x")

    with pytest.raises(SealBroken, match=f"key {key_id_of(sealed)}, which is not in the keys file"):
        load_vault(keys).open(OWNER, sealed)


def test_another_key_under_a_known_id_does_not_open(keys: Path) -> None:
    sealed = load_vault(keys).seal(OWNER, "x")
    impostor = Vault({key_id_of(sealed): Fernet(Fernet.generate_key())})

    with pytest.raises(SealBroken, match="cannot be decrypted"):
        impostor.open(OWNER, sealed)


@pytest.mark.parametrize("garbage", ["", "v1", "plain text", "v1:0a0b0c0d:", "v1:0a0b0c0d:%%%"])
def test_what_was_never_sealed_does_not_open(garbage: str) -> None:
    vault = Vault({"0a0b0c0d": Fernet(Fernet.generate_key())})

    with pytest.raises(SealBroken):
        vault.open(OWNER, garbage)


def test_keys_are_readable_by_their_owner_only(keys: Path) -> None:
    add_key(keys)

    assert keys.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in keys.parent.iterdir()] == ["keys"]


def test_keys_are_never_made_twice(keys: Path) -> None:
    with pytest.raises(FileExistsError):
        create_keys(keys)


def test_keys_that_others_can_read_refuse_the_start(keys: Path) -> None:
    keys.chmod(0o644)

    with pytest.raises(StartupError, match="chmod 600"):
        load_vault(keys)


def test_missing_keys_refuse_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="is missing; restore it from a backup"):
        load_vault(tmp_path / "keys")


@pytest.mark.parametrize("text", [b"", b"one-word\n", b"id not-a-key\n", b"a b c\n", b"\xff\xfe"])
def test_a_file_that_holds_no_keys_refuses_the_start(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(text)
    path.chmod(0o600)

    with pytest.raises(StartupError, match="is not a keys file"):
        load_vault(path)
