"""What is asked of a delivery before anybody knows who sent it."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from aweigh.github import delivery
from tests.support.github import push

REPOSITORY = "https://github.com/acme/shop.git"
PAYLOAD = push(REPOSITORY, after="1" * 40)


def sign(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def named(payload: bytes) -> list[str]:
    return [one.repository.clone_url for one in delivery.named_repositories(payload)]


@pytest.mark.parametrize("text", [
    "", "sha256=", f"sha256={'0' * 63}", f"sha256={'0' * 65}", f"sha256={'A' * 64}",
    f"sha1={'0' * 40}", f" sha256={'0' * 64}", f"sha256={'0' * 64}\n", "sha256=\xe9",
])  # fmt: skip
def test_what_cannot_be_a_signature_is_seen_without_hashing(text: str) -> None:
    assert not delivery.is_signature(text)
    assert delivery.is_signature(f"sha256={'0' * 64}")


def test_the_secret_that_signed_it_is_found_among_others() -> None:
    assert delivery.signing(b"body", sign(b"body", "two"), ["one", "two", "three"]) == {"two"}
    assert delivery.signing(b"body", sign(b"body", "four"), ["one", "two", "three"]) == frozenset()


class Counted(str):
    """A secret that counts how often it is made into a key."""

    __slots__ = ()
    keys = 0

    def encode(self, *_: Any) -> bytes:
        Counted.keys += 1
        return super().encode()


def test_a_secret_of_many_applications_is_tried_once() -> None:
    Counted.keys = 0

    assert delivery.signing(b"body", sign(b"body", "one"), [Counted("one")] * 500) == {"one"}

    assert Counted.keys == 1


@pytest.mark.parametrize(("size", "most"), [(100, 256), (1024**2, 128), (24 * 1024**2, 5)])
def test_a_large_body_is_hashed_with_few_secrets(size: int, most: int) -> None:
    body = bytes(size)
    Counted.keys = 0

    assert (
        delivery.signing(body, f"sha256={'0' * 64}", map(Counted, map(str, range(1000)))) == set()
    )

    assert Counted.keys == most


@pytest.mark.parametrize("indent", [None, 2])
def test_the_repository_is_found_in_a_push(indent: int | None) -> None:
    assert named(json.dumps(PAYLOAD, indent=indent).encode()) == [REPOSITORY]


@pytest.mark.parametrize("text", [
    'a "repository": {"clone_url": "https://github.com/other/one"}',
    '\\"repository\\": {"clone_url": "https://github.com/other/one"}',
    "repository",
])  # fmt: skip
def test_no_text_in_a_push_is_taken_for_its_repository(text: str) -> None:
    payload = {"head": {"message": text, "added": ["repository"] * 100}, **PAYLOAD}

    assert named(json.dumps(payload).encode()) == [REPOSITORY]


@pytest.mark.parametrize("payload", [
    b"", b"[1,1,1]", b'"repository"', b'"repository":', b'"repository":{', b'{"repository":{}}',
    b'{"repository":{"clone_url":7}}', b'{"repository":{"clone_url":"https://host:port/a"}}',
    b'{"repository":{"a":' + b"[" * 60_000, b'"repository":{' * 100_000, b"\xff" * 1000,
    b'{"repository":{"clone_url":"' + b"x" * 100_000,
], ids=range(12))  # fmt: skip
def test_what_names_no_repository_names_none(payload: bytes) -> None:
    assert named(payload) == []


def test_only_so_many_objects_are_looked_into() -> None:
    one = b'{"repository":{"clone_url":"https://github.com/a/%d"}}'

    assert len(named(b",".join(one % number for number in range(100)))) == 8


def test_what_would_take_a_parser_long_is_not_given_to_it() -> None:
    assert delivery.is_readable(json.dumps(PAYLOAD).encode())
    assert not delivery.is_readable(b"[" + b"1," * 1_000_001 + b"1]")
