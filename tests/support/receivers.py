"""Receivers of notifications: webhooks and chats over HTTP, and mail over SMTP."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Request:
    method: str
    #: With its query.
    path: str
    #: By names in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Misbehaviour(Enum):
    """Answers that are none."""

    SILENT = "never answers"
    RESET = "resets the connection"
    CLOSED = "closes the connection"
    ENDLESS = "answers 200 with a body without end"
    SLOW = "answers 200, one byte every now and then"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"


Behave = Callable[[Request], Answer | Misbehaviour]


class Receiver:
    """Keeps what it received; `behave` may be replaced at any time."""

    def __init__(self, behave: Behave = lambda request: Answer()) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.scheme = "http"
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def received(self, number: int) -> list[Request]:
        """Wait until there were so many requests."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while (request := await _request(reader)) is not None:
                async with self._arrived:
                    self.requests.append(request)
                    self._arrived.notify_all()
                behaviour = self.behave(request)
                if isinstance(behaviour, Answer):
                    await _write(writer, behaviour)
                else:
                    await _misbehave(writer, reader, behaviour)
                    return


async def _request(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} Said\r\n{lines}\r\n".encode("latin-1") + answer.body)
    await writer.drain()


async def _misbehave(
    writer: asyncio.StreamWriter, reader: asyncio.StreamReader, how: Misbehaviour
) -> None:
    """Return when the sender has had enough."""
    if how is Misbehaviour.RESET:
        taken = writer.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    if how is Misbehaviour.CLOSED:
        return
    if how in (Misbehaviour.ENDLESS, Misbehaviour.SLOW):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"x" * 1024 if how is Misbehaviour.ENDLESS else b"x"
    while how is not Misbehaviour.SILENT:
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await writer.drain()
        await asyncio.sleep(0 if how is Misbehaviour.ENDLESS else 0.05)
    await reader.read()


@asynccontextmanager
async def receiver(
    behave: Behave = lambda request: Answer(), tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Receive requests on a port of loopback, over TLS if there is a context for it."""
    made = Receiver(behave)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await made.serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test has ended
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    made.scheme = "https" if tls else "http"
    try:
        yield made
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        if serving:
            await asyncio.wait(tuple(serving))


@dataclass
class Mail:
    """A mail server; `refuse` maps recipients to what it says to them."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    data_answer: str = "250 queued as 42"
    logins: list[bytes] = field(default_factory=list)
    #: Seconds that it searches a mail before it answers.
    scans: float = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.scans)
        if self.data_answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.data_answer


@asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None, *, implicit: bool = False, password: bytes | None = None
) -> AsyncIterator[Mail]:
    """Receive mail by STARTTLS, with `implicit` over TLS from the first byte, or without TLS."""
    made = Mail()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == password
        if right:
            made.logins.append(data.login)
        return AuthResult(success=right, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            made,
            hostname="mail.test",
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            auth_require_tls=not implicit,
            authenticator=authenticate if password else None,
            # aiosmtpd does not see that a connection is TLS from its first byte.
            auth_required=password is not None and not implicit,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if implicit else None)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
