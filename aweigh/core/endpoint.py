"""Hosts and ports in settings."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - what a user may ask for


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def answers(listening: str, asked: str) -> bool:
    """Whether a server listening at one address can be reached at this loopback address."""
    if listening in _EVERYWHERE:
        return (":" in listening) == (":" in asked)
    return is_loopback(listening)


def endpoint(address: str) -> tuple[str, int]:
    """Return host and port. Raises: ValueError"""
    parts = urlsplit(f"//{address}")
    if not parts.hostname or not parts.port or parts.netloc != address or parts.username:
        raise ValueError("is not a host and a port, as in 127.0.0.1:7233")
    return parts.hostname, parts.port
