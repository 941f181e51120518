"""A GitHub on loopback: it checks an App's signature, hands out tokens, and keeps statuses."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

APP_ID = "4711"


@dataclass
class GitHubApi:
    """One App, whose installation 7 may read every repository of `acme`."""

    port: int = 0
    installation: int = 7
    permissions: set[str] = field(default_factory=lambda: {"contents", "statuses"})
    #: Answers that come before any other: status, headers.
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    issued: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def private_key(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()  # fmt: skip

    def answer(self, path: str, bearer: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        match path.strip("/").split("/"):
            case ["app", "installations", number, "access_tokens"]:
                return self._token(int(number), bearer, body)
            case ["repos", owner, name, "statuses", commit]:
                return self._status(owner, name, commit, bearer, body)
        return 404, {"message": "Not Found"}

    def _token(self, number: int, bearer: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            jwt.decode(bearer, self._key.public_key(), algorithms=["RS256"], issuer=APP_ID)
        except jwt.InvalidTokenError as error:
            return 401, {"message": f"A JSON web token could not be decoded: {error}"}
        if number != self.installation:
            return 404, {"message": "Not Found"}
        if not set(body["permissions"]) <= self.permissions:
            return 422, {"message": "The permissions are not granted to this installation."}
        token = f"ghs_{secrets.token_hex(18)}"
        self.issued[token] = body
        expires = datetime.now(UTC) + timedelta(hours=1)
        return 201, {"token": token, "expires_at": expires.isoformat().replace("+00:00", "Z")}

    def _status(
        self, owner: str, name: str, commit: str, bearer: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        token = self.issued.get(bearer)
        if token is None:
            return 401, {"message": "Bad credentials"}
        if owner != "acme" or name not in token["repositories"]:
            return 404, {"message": "Not Found"}
        if "statuses" not in token["permissions"]:
            return 403, {"message": "Resource not accessible by integration"}
        self.statuses.append((commit, body))
        return 201, {"state": body["state"]}


@contextmanager
def github_api() -> Iterator[GitHubApi]:
    made = GitHubApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            headers: dict[str, str] = {}
            if made.refusals:
                status, headers = made.refusals.pop(0)
                shown = {"message": "refused"}
            else:
                status, shown = made.answer(self.path, bearer, json.loads(sent))
            text = json.dumps(shown).encode()
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(text))}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()
