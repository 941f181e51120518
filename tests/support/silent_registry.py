"""A registry that stops answering at one of the things that an engine asks it for."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SilentRegistry:
    """Silent for every path that contains `place`, until the client hangs up or it is released."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.asked = threading.Event()
        self.released = threading.Event()
        registry = self

        class Handler(_Handler):
            silent = registry

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    silent: SilentRegistry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith(self.silent.place):
            self.silent.asked.set()
            while not (self.silent.released.is_set() or self._is_left()):
                pass
            self.close_connection = True
        elif self.path.startswith("/token"):
            self._answer(200, {"token": "t"})
        elif "Authorization" in self.headers or self.silent.place != "/token":
            self._answer(200, {})
        else:
            self._answer(401, {})

    do_HEAD = do_GET

    def _is_left(self) -> bool:
        """Whether the client has closed the connection; looks for a moment."""
        return bool(select.select([self.connection], [], [], 0.05)[0])

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if status == 401:
            realm = f'Bearer realm="http://{self.silent.host}/token",service="r"'
            self.send_header("WWW-Authenticate", realm)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


@contextmanager
def silent_registry(place: str) -> Iterator[SilentRegistry]:
    registry = SilentRegistry(place)
    threading.Thread(target=registry.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield registry
    finally:
        registry.released.set()
        registry.server.shutdown()
        registry.server.server_close()
