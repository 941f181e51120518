"""The description of a load: requests, rates, address, and which answers are accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One kind of request, issued `rate` times a second."""

    name: str
    rate: float
    method: str = "GET"
    path: str = "/"
    keep_alive: bool = True
    body: bytes = b""

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"flow {self.name} needs a rate above zero: {self.rate}")

    def request(self, host: str) -> bytes:
        """The bytes on the wire, which are the same every time."""
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            f"Host: {host}",
            f"Connection: {'keep-alive' if self.keep_alive else 'close'}",
        ]
        if self.body or self.method == "POST":
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def mixed_flows(rate: float) -> tuple[Flow, ...]:
    """`rate` requests a second of the four kinds that fail differently when a swap goes wrong.

    A kept-alive connection outlives the backend behind it, a new one meets a closed port, a POST
    is never retried by a proxy, and a slow request is in flight at any moment.
    """
    return (
        Flow(name="get", rate=rate * 0.600),
        Flow(name="get-close", rate=rate * 0.200, keep_alive=False),
        Flow(name="post", rate=rate * 0.195, method="POST", body=b"x" * 64),
        Flow(name="slow", rate=rate * 0.005, path="/slow?seconds=5"),
    )


@dataclass(frozen=True, kw_only=True)
class Load:
    url: str
    """Scheme, address and port; the paths are those of the flows."""
    flows: tuple[Flow, ...]
    host: str | None = None
    """The Host header, if it is not the address."""
    timeout: float = 15.0
    connections_per_flow: int = 256
    name: str | None = None
    """The X-Name every answer must have."""
    versions: frozenset[str] | None = None
    """The X-Version an answer may have at first; `Run.allow` and `Run.forbid` change it."""
    accept: Callable[[str], bool] | None = None
    """Called at each answer whose version is not among `versions`: whether it is accepted."""

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme != "http" or not urlsplit(self.url).hostname:
            raise ValueError(f"a load needs the URL of a plain HTTP server: {self.url}")
        if len({flow.name for flow in self.flows}) != len(self.flows):
            raise ValueError("two flows of a load have the same name")

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    @property
    def host_header(self) -> str:
        return self.host or urlsplit(self.url).netloc
