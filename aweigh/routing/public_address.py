"""Hosts and path prefixes as people write them, brought into the one form that is routed."""

from typing import Final

import idna

from aweigh.core import grammar

#: What people write instead of a host name, and what to write.
_NOT_A_HOST: Final = (
    ("://", "is a URL: give its host alone, without 'https://'"),
    ("/", "holds a path: give the host here, and the path as `path`"),
    ("*", "holds a wildcard: name each host by itself"),
    (":", "holds a port: the proxy's ports are settings of the server"),
    ("@", "is an address of a person, not a host name"),
)


def host_name(text: str) -> str:
    """Return a host in lower case, in ASCII (punycode) and without the dot at its end.

    Raises:
        ValueError: it is no host name; says what to write.
    """
    for sign, message in _NOT_A_HOST:
        if sign in text:
            raise ValueError(message)
    host = text.strip().lower().removesuffix(".")
    if not host.isascii():
        host = _encoded(host)
    if not grammar.matches(grammar.HOST, host):
        raise ValueError("is not a host name (letters, digits, '-' and '.')")
    return host


def _encoded(host: str) -> str:
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, ValueError) as error:
        raise ValueError("is not a host name that can be written in ASCII (IDNA 2008)") from error


def path_prefix(path: str) -> str:
    """Return a path prefix without a slash at its end: `/api` and `/api/` are one.

    Raises:
        ValueError: it is no path prefix; says what to write.
    """
    if "*" in path:
        raise ValueError("holds a '*': a prefix takes everything below it without one")
    if not grammar.matches(grammar.URL_PATH, path) or not grammar.is_plain_path(path):
        raise ValueError(
            "is not a path prefix: it begins with '/', and holds letters, digits and "
            "-._~!$&()+,;=:@ only, no '.' or '..' and no empty parts"
        )
    return path.rstrip("/") or "/"
