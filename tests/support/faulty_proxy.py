"""A proxy in front of a registry that makes things go wrong."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.registry import Registry

#: A blob below this is an image's configuration; faults of blobs are about layers.
_LAYER_BYTES = 100_000
_CHUNK = 16 * 1024


class Fault(Enum):
    """What goes wrong between the engine and the registry."""

    NONE = "none"
    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    CUT_BLOB = "cut blob"
    CORRUPT_BLOB = "corrupt blob"
    SLOW_BLOB = "slow blob"
    SILENT = "silent"


_REFUSALS = {
    Fault.RATE_LIMITED: (429, "TOOMANYREQUESTS", "You have reached your pull rate limit."),
    Fault.UNAVAILABLE: (503, "UNAVAILABLE", "service unavailable"),
    Fault.UNAUTHORIZED: (401, "UNAUTHORIZED", "authentication required"),
    Fault.FORBIDDEN: (403, "DENIED", "requested access to the resource is denied"),
}


class FaultyProxy:
    """Forwards to a registry, except for the fault that is set."""

    def __init__(self, upstream: Registry, fault: Fault = Fault.NONE, address: str = "127.0.0.1"):
        self.upstream = upstream
        self.fault = fault
        self.requests: list[tuple[str, str]] = []
        #: A slow blob goes on at full speed once this is set.
        self.hurry = threading.Event()
        #: The engine hung up on a slow blob.
        self.abandoned = threading.Event()
        self._address = (address, 0)
        self._server: ThreadingHTTPServer | None = None
        self.host = ""

    def start(self, certificate: Path | None = None) -> None:
        """Listen; again on the same port after a `stop`. With a certificate, speak TLS."""
        proxy = self

        class Handler(_Handler):
            faulty = proxy

        self._server = ThreadingHTTPServer(self._address, Handler)
        self._server.daemon_threads = True
        self._address = (self._address[0], self._server.server_port)
        self.host = f"{self._address[0]}:{self._address[1]}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Down: connections are refused."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Handler(BaseHTTPRequestHandler):
    faulty: FaultyProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.faulty.requests.append((self.command, self.path))
        if self.faulty.fault is Fault.SILENT:
            self.faulty.hurry.wait()
        elif self.faulty.fault in _REFUSALS and self.path != "/v2/":
            self._refuse(*_REFUSALS[self.faulty.fault])
        else:
            with suppress(ConnectionError):
                self._forward()

    do_HEAD = do_GET

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = b'{"errors":[{"code":"%b","message":"%b"}]}' % (code.encode(), message.encode())
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _forward(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.faulty.upstream.port)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # the engine sends several Accept headers
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        length = int(answer.headers.get("Content-Length") or 0)
        if self.command == "GET":
            is_layer = "/blobs/" in self.path and length > _LAYER_BYTES
            self._send(answer, length, self.faulty.fault if is_layer else Fault.NONE)
        connection.close()

    def _send(self, answer: http.client.HTTPResponse, length: int, fault: Fault) -> None:
        sent = 0
        while chunk := answer.read(_CHUNK):
            if fault is Fault.CORRUPT_BLOB and sent + len(chunk) == length:
                chunk = bytes(byte ^ 0xFF for byte in chunk)
            resumed = answer.status == HTTPStatus.PARTIAL_CONTENT  # never past the cut
            if fault is Fault.CUT_BLOB and (resumed or sent > length // 2):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault is Fault.SLOW_BLOB:
                self.faulty.hurry.wait(0.01)
            try:
                self.wfile.write(chunk)
            except ConnectionError:
                self.faulty.abandoned.set()
                raise
            sent += len(chunk)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet: what was asked is in `requests`."""


@contextmanager
def faulty_proxy(
    upstream: Registry, fault: Fault, *, address: str = "127.0.0.1", certificate: Path | None = None
) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(upstream, fault, address)
    proxy.start(certificate)
    try:
        yield proxy
    finally:
        proxy.hurry.set()
        proxy.stop()
