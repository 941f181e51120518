"""Normalises pasted private keys to the form that ssh reads."""

import re
import textwrap
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

_PEM: Final = re.compile(
    r"\s*-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----(?P<body>.*?)-----END (?P=kind)-----\s*",
    re.DOTALL,
)
_WIDTH: Final = 64
_WITHOUT: Final = "give a key without one (`ssh-keygen -p -N ''` on a copy takes it away)"
_PUTTY: Final = "PuTTY-User-Key-File"
_PUBLIC: Final = re.compile(r"\s*(ssh-|ecdsa-|sk-|-----BEGIN [A-Z ]*PUBLIC KEY)")


def private_key(text: str) -> str:
    """Return a key with its line breaks, whether it was indented or pasted on one line.

    Raises:
        ValueError: ssh cannot use the key unattended; the message contains no part of the key.
    """
    found = _PEM.fullmatch(text.replace("\\n", "\n").replace("\\r", "\n"))
    if not found:
        if text.lstrip().startswith(_PUTTY):
            raise ValueError("is in PuTTY's format: export it as an OpenSSH key")
        if _PUBLIC.match(text):
            raise ValueError("is a public key: give the private one")
        raise ValueError("is not a whole private key (-----BEGIN … to -----END …)")
    kind, body = found["kind"], found["body"]
    if "ENCRYPTED" in kind or "ENCRYPTED" in body:
        raise ValueError(f"has a passphrase, which cannot be entered: {_WITHOUT}")
    lines = textwrap.wrap("".join(body.split()), _WIDTH)
    whole = "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])
    _load(kind, whole.encode())
    return whole


def _load(kind: str, key: bytes) -> None:
    try:
        if kind.startswith("OPENSSH"):
            serialization.load_ssh_private_key(key, None)
        else:
            serialization.load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        message = f"has a passphrase, which cannot be entered: {_WITHOUT}"
        raise ValueError(message) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("is damaged, needs a hardware device, or has an unknown type") from error
