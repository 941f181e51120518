"""Normalises hosts and path prefixes."""

from typing import Final

import idna

from aweigh.core import grammar

#: Common mistakes in a host name, and what to write instead.
_NOT_A_HOST: Final = (
    ("://", "is a URL: give its host alone, without 'https://'"),
    ("/", "holds a path: give the host here, and the path as `path`"),
    ("*", "holds a wildcard: name each host by itself"),
    (":", "holds a port: the proxy's ports are settings of the server"),
    ("@", "is an e-mail address, not a host name"),
)


def host_name(text: str) -> str:
    """Return a host in lower case, in ASCII (punycode) and without a trailing dot.

    Raises:
        ValueError: it is not a host name; says what to write.
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
    """Return a path prefix without a trailing slash: `/api` and `/api/` are equal.

    Raises:
        ValueError: it is not a path prefix; says what to write.
    """
    if "*" in path:
        raise ValueError("holds a '*': a prefix takes everything below it without one")
    if not grammar.matches(grammar.URL_PATH, path) or not grammar.is_plain_path(path):
        raise ValueError(
            "is not a path prefix: it begins with '/', and holds letters, digits and "
            "-._~!$&()+,;=:@ only, no '.' or '..' and no empty parts"
        )
    return path.rstrip("/") or "/"
