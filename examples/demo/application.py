"""The sample application: an HTTP server whose manners are set by its environment.

It stands for everybody's application, the badly behaved ones included, so every way of starting,
failing and stopping that a deployment must survive can be asked for. One file of standard library,
because it runs in an image that holds nothing else (see `image.py`); plain protocol callbacks,
because it shares a small machine with the load that is thrown at it.

    NAME, VERSION       in every answer: body `NAME VERSION`, headers X-Name and X-Version
    PORT                where it listens (8000)
    ON_SIGTERM          graceful: finish the requests in flight; exit: die at once; ignore
    BOOT_SECONDS        how long it takes until it listens
    HEALTHY_AFTER       how long, from then on, `/` and `/healthz` answer 503
    UNHEALTHY=1         they never answer anything else
    LISTEN=0            it runs, but never listens
    EXIT_CODE           it fails at once with that code
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import NamedTuple

KILLED_BY_SIGTERM = 128 + signal.SIGTERM
# A connection that was accepted but has not spoken yet most likely has its first request on the
# wire. Closing it would lose that request, so a stopping server gives it this long to speak.
FIRST_REQUEST_SECONDS = 1.0
# Between accepting a connection and telling its protocol, asyncio takes a few turns of the loop.
ACCEPTING_SECONDS = 0.01
STREAM_STEP_SECONDS = 0.1
REASONS = {status.value: status.phrase for status in HTTPStatus}


class Settings:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.name = environment.get("NAME", "demo")
        self.version = environment.get("VERSION", "unknown")
        self.port = int(environment.get("PORT", "8000"))
        self.on_sigterm = environment.get("ON_SIGTERM", "graceful")
        self.boot_seconds = float(environment.get("BOOT_SECONDS", "0"))
        self.exit_code = environment.get("EXIT_CODE")
        self.healthy_after = float(environment.get("HEALTHY_AFTER", "0"))
        self.unhealthy = environment.get("UNHEALTHY") == "1"
        self.listens = environment.get("LISTEN") != "0"
        if self.on_sigterm not in {"graceful", "exit", "ignore"}:
            raise ValueError(f"ON_SIGTERM is none of graceful, exit, ignore: {self.on_sigterm}")


class Request(NamedTuple):
    method: str
    path: str
    query: str
    keep_alive: bool

    @classmethod
    def parse(cls, buffer: bytes) -> tuple[Request, bytes] | None:
        """The first request in `buffer` and the bytes after it; None while it is incomplete."""
        head, end, rest = buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, protocol = first.split(" ")
        fields = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        if "transfer-encoding" in headers:
            raise ValueError("a request body needs a Content-Length")
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return None
        path, _, query = target.partition("?")
        keep_alive = protocol == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        return cls(method, path, query, keep_alive), rest[length:]

    def seconds(self) -> float:
        for part in self.query.split("&"):
            key, _, value = part.partition("=")
            if key == "seconds":
                return float(value)
        return 5.0


class Application:
    def __init__(self, settings: Settings) -> None:
        self.body = f"{settings.name} {settings.version}\n".encode()
        self.stopping = asyncio.Event()
        self.connections: set[Connection] = set()
        self._settings = settings
        self._healthy_at = math.inf
        self._last_one_closed = asyncio.Event()
        self._heads: dict[tuple[int, bool, str], bytes] = {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        # Without a handler the kernel drops the signal: this is process 1 of its container.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_sigterm())
        self.say("starts")
        if self._settings.listens and not await self._stopped_within(self._settings.boot_seconds):
            await self._serve()
        await self.stopping.wait()

    def healthy(self) -> bool:
        return asyncio.get_running_loop().time() >= self._healthy_at

    def head(self, status: int, *, keep_alive: bool, framing: str) -> bytes:
        """The head of an answer, kept, because nearly all answers share a handful of heads."""
        key = (status, keep_alive, framing)
        if key not in self._heads:
            self._heads[key] = (
                f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n"
                f"X-Name: {self._settings.name}\r\nX-Version: {self._settings.version}\r\n"
                f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n"
                f"Content-Type: text/plain; charset=utf-8\r\n{framing}\r\n"
            ).encode()
        return self._heads[key]

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._last_one_closed.set()

    def say(self, text: str) -> None:
        print(f"{self._settings.name} {self._settings.version}: {text}", flush=True)

    def _on_sigterm(self) -> Callable[[], object]:
        if self._settings.on_sigterm == "exit":
            return lambda: os._exit(KILLED_BY_SIGTERM)
        if self._settings.on_sigterm == "ignore":
            return lambda: self.say("ignores the signal")
        return self.stopping.set

    async def _stopped_within(self, seconds: float) -> bool:
        stopped = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait([stopped], timeout=seconds)
        return self.stopping.is_set()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        everywhere = "0.0.0.0"  # noqa: S104 - a container is only ever reached from outside
        server = await loop.create_server(
            lambda: Connection(self), everywhere, self._settings.port, backlog=1024
        )
        if not self._settings.unhealthy:
            self._healthy_at = loop.time() + self._settings.healthy_after
        self.say(f"listens on port {server.sockets[0].getsockname()[1]}")
        await self.stopping.wait()
        await asyncio.sleep(0)  # one more turn of the loop accepts who already waits in the backlog
        server.close()
        await asyncio.sleep(ACCEPTING_SECONDS)
        self.say(f"stops, with {len(self.connections)} connections open")
        await self._finish_connections()

    async def _finish_connections(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in self.connections:
            patience = 0.0 if connection.has_spoken else FIRST_REQUEST_SECONDS
            loop.call_later(patience, connection.close_if_idle)
        self._last_one_closed.clear()
        if self.connections:
            await self._last_one_closed.wait()


class Connection(asyncio.Protocol):
    def __init__(self, application: Application) -> None:
        self.has_spoken = False
        self._application = application
        self._transport: asyncio.Transport
        self._buffer = b""
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type
        self._transport = transport
        self._application.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self._work:
            self._work.cancel()
        self._application.forget(self)

    def data_received(self, data: bytes) -> None:
        self.has_spoken = True
        self._buffer += data
        self._answer_buffered()

    def close_if_idle(self) -> None:
        if not self._work and not self._buffer:
            self._transport.close()

    def _answer_buffered(self) -> None:
        """Answer in order: a request that takes its time holds back those pipelined behind it."""
        while self._buffer and not self._work and not self._transport.is_closing():
            try:
                parsed = Request.parse(self._buffer)
                if parsed is None:
                    return
                request, self._buffer = parsed
                self._route(request)
            except ValueError:
                self._answer(Request("GET", "/", "", keep_alive=False), 400)

    def _route(self, request: Request) -> None:
        if request.path in {"/", "/healthz"}:
            self._answer(request, 200 if self._application.healthy() else 503)
        elif request.path == "/slow":
            self._start(self._answer_slowly(request, request.seconds()))
        elif request.path == "/stream":
            self._start(self._stream(request, request.seconds()))
        elif request.path.startswith("/status/"):
            self._answer(request, int(request.path.removeprefix("/status/")))
        else:
            self._answer(request, 404)

    def _answer(self, request: Request, status: int) -> None:
        body = b"" if status in {204, 304} else self._application.body
        keep_alive = request.keep_alive and not self._application.stopping.is_set()
        framing = f"Content-Length: {len(body)}\r\n"
        head = self._application.head(status, keep_alive=keep_alive, framing=framing)
        self._transport.write(head if request.method == "HEAD" else head + body)
        if not keep_alive:
            self._transport.close()

    def _start(self, work: Coroutine[object, None, None]) -> None:
        self._work = asyncio.get_running_loop().create_task(work)
        self._work.add_done_callback(self._finish)

    def _finish(self, work: asyncio.Task[None]) -> None:
        self._work = None
        if not work.cancelled():
            self._answer_buffered()

    async def _answer_slowly(self, request: Request, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._answer(request, 200)

    async def _stream(self, request: Request, seconds: float) -> None:
        head = self._application.head(
            200, keep_alive=request.keep_alive, framing="Transfer-Encoding: chunked\r\n"
        )
        self._transport.write(head)
        for _ in range(math.ceil(seconds / STREAM_STEP_SECONDS)):
            body = self._application.body
            self._transport.write(b"%x\r\n%b\r\n" % (len(body), body))
            await asyncio.sleep(STREAM_STEP_SECONDS)
        self._transport.write(b"0\r\n\r\n")
        if not request.keep_alive or self._application.stopping.is_set():
            self._transport.close()


async def serve(settings: Settings) -> None:
    await Application(settings).run()


def main() -> int:
    settings = Settings(os.environ)
    if settings.exit_code is not None:
        print(f"{settings.name} {settings.version}: cannot start, as it was told", file=sys.stderr)
        return int(settings.exit_code)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
