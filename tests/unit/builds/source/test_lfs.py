"""Pointers of Git LFS."""

import pytest

from aweigh.builds.source.lfs_pointer import Pointer, endpoint_of, read_pointer

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
HEAD = b"version https://git-lfs.github.com/spec/v1\n"
OWN = f"oid sha256:{OID}\nsize 12345\n".encode()


@pytest.mark.parametrize("more", [b"", b"ext-0-foo sha256:" + OID.encode() + b"\n"])
def test_a_pointer_is_read(more: bytes) -> None:
    assert read_pointer("a.bin", HEAD + more + OWN) == Pointer("a.bin", OID, 12345)


@pytest.mark.parametrize(
    "content", [b"", b"bytes", OWN, HEAD, HEAD + OWN + b"more", HEAD + OWN.upper(), b"\0" * 1025]
)
def test_anything_else_is_a_file(content: bytes) -> None:
    assert read_pointer("a.bin", content) is None


@pytest.mark.parametrize("repository", ["https://a.example/b", "https://a.example/b.git"])
def test_the_endpoint_stands_below_the_repository(repository: str) -> None:
    assert endpoint_of(repository) == "https://a.example/b.git/info/lfs"
