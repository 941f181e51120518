"""A registry and git server that throws back, in every spelling, what a caller shows it."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import wrap
from urllib.parse import quote, quote_plus

#: Of the lines in which mail programs, Ruby and people write base64.
WIDTHS = (76, 60, 19)


def spellings(user: str, password: str) -> dict[str, str]:
    """A password in the forms in which servers repeat it."""
    return (
        {
            f"base64 behind {before!r}": _base64(before + password)
            for before in ("", "x", "xy", f"{user}:")
        }
        | {
            f"base64 in lines of {width}": "\n".join(wrap(_base64(f"{user}:{password}"), width))
            for width in WIDTHS
        }
        | {
            "as it is": password,
            "base64 for URLs": base64.urlsafe_b64encode(password.encode()).decode().rstrip("="),
            "quoted": quote(password, safe=""),
            "in a query": quote_plus(password),
            "hexadecimal": password.encode().hex(),
            "JSON": json.dumps(password)[1:-1],
            "JSON in JSON": json.dumps(json.dumps(password))[3:-3],
            "Python": repr(password)[1:-1],
        }
    )


def traces(user: str, password: str) -> dict[str, str]:
    """What must not be found anywhere: of base64 the part that is the password's alone."""
    found = {}
    for name, form in spellings(user, password).items():
        if not name.startswith("base64"):
            found[name] = form
            continue
        for number, line in enumerate(form[4:-4].splitlines()):
            if len(line) > 8:
                found[f"{name}, line {number}"] = line
    return found


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class Echo:
    port: int = 0
    #: The passwords that were shown to it.
    seen: set[str] = field(default_factory=set)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, header: str) -> str:
        pair = base64.b64decode(header.removeprefix("Basic ")).decode()
        user, _, password = pair.partition(":")
        self.seen.add(password)
        said = "; ".join(f"{name} {form}" for name, form in spellings(user, password).items())
        return f"denied: Authorization: {header}; {said}"


class _Handler(BaseHTTPRequestHandler):
    echo: Echo

    def do_GET(self) -> None:
        header = self.headers.get("Authorization")
        if header is None:
            self._send(401, b"{}", "application/json")
        elif self.path == "/v2/":
            self._send(200, b"{}", "application/json")
        elif self.path.startswith("/v2/"):
            error = {"code": "DENIED", "message": self.echo.answer(header)}
            self._send(403, json.dumps({"errors": [error]}).encode(), "application/json")
        else:
            self._send(403, self.echo.answer(header).encode(), "text/plain; charset=utf-8")

    do_HEAD = do_GET

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="echo"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def echoing() -> Iterator[Echo]:
    echo = Echo()
    handler = type("Handler", (_Handler,), {"echo": echo})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    echo.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield echo
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
