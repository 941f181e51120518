"""Probes containers from outside."""

import asyncio
import os
from typing import Final

import httpx2

from aweigh.core.tls import trusted
from aweigh.deployments.application import HealthCheck
from aweigh.health.check import ProbeResult

_TIMEOUT_SECONDS: Final = 5.0


class Probe:
    """HTTP and TCP probes. URLs are built from parts; redirects are not followed."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(
            verify=trusted(),
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def http(self, address: str, port: int, host: str, check: HealthCheck) -> ProbeResult:
        url = httpx2.URL(scheme="http", host=address, port=port, path=check.path)
        try:
            # A limit for the whole request: a server that sends its header byte by byte would block
            # the gate.
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                self._client.stream("GET", url, headers={"Host": host}) as answer,
            ):
                status = answer.status_code
        except (httpx2.HTTPError, TimeoutError) as error:
            return ProbeResult(False, f"GET {url} got no answer: {_words(error)}")
        return ProbeResult(check.accepts(status), f"GET {url} was answered {status}")

    async def tcp(self, address: str, port: int) -> ProbeResult:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                _, writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError) as error:
            return ProbeResult(False, f"connecting to {address}:{port} failed: {_words(error)}")
        writer.close()
        return ProbeResult(True, f"{address}:{port} accepts connections")


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
