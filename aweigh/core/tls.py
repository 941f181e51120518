"""Whom this process trusts when it speaks TLS."""

import ssl
from functools import cache

import httpx2


@cache
def trusted(*, as_environment_says: bool = False) -> ssl.SSLContext:
    """The well-known authorities; or those of `SSL_CERT_FILE`, where that is set.

    Reading them takes up to 0.3 s: asked for first in a thread, one is there for all clients.
    """
    return httpx2.create_ssl_context(trust_env=as_environment_says)
