"""A receiver of webhooks on loopback: it verifies signatures, and answers as a test says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request that has arrived, whatever it is answered."""

    id: str
    kind: str
    deployment: str | None
    is_signed: bool
    status: int


@dataclass
class Place:
    """One path of the receiver, which has a secret of its own."""

    url: str
    secret: str = field(default_factory=lambda: new_secret())
    received: list[Received] = field(default_factory=list)
    #: What requests are answered, one after the other; then 204.
    statuses: list[int] = field(default_factory=list)
    #: The first request with an event of such a kind is answered when its event is set.
    held: dict[str, threading.Event] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def secrets(self) -> tuple[str, str]:
        """What nobody but the receiver may be told."""
        return self.secret, self.url.rpartition("/")[2]

    def hold(self, *kinds: str) -> None:
        self.held |= {kind: threading.Event() for kind in kinds}

    def kinds(self) -> list[str]:
        """What has arrived, each message once, in the order of the first arrivals."""
        return list({one.id: one.kind.rpartition(".")[2] for one in self.received}.values())

    def repeats(self) -> dict[str, int]:
        """How often a message arrived once more, by its kind."""
        count: dict[tuple[str, str], int] = defaultdict(int)
        for one in self.received:
            count[one.id, one.kind.rpartition(".")[2]] += 1
        return {kind: many - 1 for (_, kind), many in count.items() if many > 1}

    def answer(self, headers: Message, body: bytes) -> int:
        payload = json.loads(body)
        kind = str(payload["type"])
        with self._lock:
            status = self.statuses.pop(0) if self.statuses else 204
            is_first = all(one.kind != kind for one in self.received)
            self.received.append(
                Received(
                    id=headers["webhook-id"], kind=kind, deployment=payload["data"].get("id"),
                    is_signed=self._is_signed(headers, body), status=status,
                )
            )  # fmt: skip
        if is_first and kind in self.held:
            self.held[kind].wait()
        return status

    def _is_signed(self, headers: Message, body: bytes) -> bool:
        """As https://www.standardwebhooks.com describes it, without the library that signed."""
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        return f"v1,{expected}" in headers["webhook-signature"].split(" ")


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@dataclass
class Receiver:
    """As many places as tests want."""

    port: int = 0
    places: dict[str, Place] = field(default_factory=dict)

    def place(self) -> Place:
        path = f"/{secrets.token_hex(8)}"
        self.places[path] = Place(f"http://127.0.0.1:{self.port}{path}")
        return self.places[path]


@contextmanager
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = made.places[self.path].answer(self.headers, body)
            # Receivers like to repeat what they were called with.
            answer = f"no {self.path} here".encode() if status != 204 else b""
            with suppress(ConnectionError):  # whoever sent it was killed
                self.send_response(status)
                if answer:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    for place in made.places.values():
        for held in place.held.values():
            held.set()
    server.shutdown()
    server.server_close()
