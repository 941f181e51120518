"""Deploy keys, as people paste them: put right, or refused with what to do."""

import textwrap

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat

from aweigh.deployments.private_key import private_key
from tests.support.keys import deploy_key

KINDS = [
    ("ed25519", PrivateFormat.OpenSSH),
    ("ecdsa", PrivateFormat.OpenSSH),
    ("rsa", PrivateFormat.OpenSSH),
    ("rsa", PrivateFormat.TraditionalOpenSSL),
    ("ecdsa", PrivateFormat.TraditionalOpenSSL),
    ("ed25519", PrivateFormat.PKCS8),
]


def words(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(("kind", "form"), KINDS)
def test_a_key_is_put_right_however_it_was_pasted(kind: str, form: PrivateFormat) -> None:
    key = deploy_key(kind, form)
    whole = private_key(key)

    for pasted in (
        key, whole, f"\n\n{key}\n", textwrap.indent(key, "    "), key.replace("\n", "\r\n"),
        key.replace("\n", " ").strip(), key.replace("\n", "\\n"), key.replace("\n", ""),
        key.replace("\n", "\n\n"),
    ):  # fmt: skip
        assert private_key(pasted) == whole
    assert words(whole) == words(key)
    assert max(map(len, whole.splitlines())) <= 64
    assert whole.endswith("-----\n")


@pytest.mark.parametrize(
    ("kind", "form"),
    [("rsa", PrivateFormat.TraditionalOpenSSL), ("ed25519", PrivateFormat.PKCS8)],
)
def test_a_passphrase_is_told(kind: str, form: PrivateFormat) -> None:
    with pytest.raises(ValueError, match="has a passphrase"):
        private_key(deploy_key(kind, form, b"correct-horse"))


#: `ssh-keygen -t ed25519 -N correct-horse`; to make one here takes another package.
PROTECTED = """
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBfPEbCK4
7QEc9hUKdqIu/0AAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIE3nftdaKXWsPv7a
/r9369s7K8vGO0ZVAE/DI/g1SheGAAAAkDzKgTK0i8eIcDuA9CZ1fp51mSTHtQWuBPFZsu
Tf0mtSNDHbsSQ2d/ij2iaivcgNUpINDWxuju5rdkNcBzImpUF+atm+3LqUvRpxgrnzW5DF
eyXJ5UCh2/3P4psZekB213NhSTDUHZ0JGXWDisLs3EFtoucLxUWbgecUzJ7le35DYO8/i2
D85mE6VoAlON8NWQ==
-----END OPENSSH PRIVATE KEY-----
"""


def test_a_passphrase_of_an_openssh_key_is_told() -> None:
    with pytest.raises(ValueError, match="has a passphrase"):
        private_key(PROTECTED)


@pytest.mark.parametrize(
    ("pasted", "what"),
    [
        ("", "is not a whole private key"),
        ("geheim", "is not a whole private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "is not a whole private key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here", "is a public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is a public key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", "is in PuTTY's format"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----", "damaged"),
    ],
)
def test_what_is_no_private_key_is_named(pasted: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        private_key(pasted)
    assert "AAAA" not in str(caught.value)
