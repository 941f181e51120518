"""Private keys that are nobody's, in every form in which people have them."""

from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    PrivateFormat,
)

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def deploy_key(
    kind: str = "ed25519", form: PrivateFormat = PrivateFormat.OpenSSH, passphrase: bytes = b""
) -> str:
    """A private key as a file holds it."""
    keys: dict[str, Callable[[], PrivateKey]] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    key = keys[kind]()
    return key.private_bytes(serialization.Encoding.PEM, form, protection).decode()
