"""The certificate authorities that this process trusts."""

import ssl
from functools import cache

import httpx2


@cache
def trusted(*, as_environment_says: bool = False) -> ssl.SSLContext:
    """Return a context with the well-known authorities, or those of `SSL_CERT_FILE` if requested.

    Reading them takes up to 0.3 s, so the first call should be in a thread; the result is cached.
    """
    return httpx2.create_ssl_context(trust_env=as_environment_says)
