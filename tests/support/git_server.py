"""A real git server over HTTP: `git http-backend` behind Basic authentication."""

import base64
import os
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


@dataclass
class GitServer:
    """Repositories below one directory."""

    root: Path
    port: int = 0
    #: Who may read: user to password; empty: everybody.
    users: dict[str, str] = field(default_factory=dict)
    #: Installation tokens that open everything, too; the collection may grow.
    tokens: Collection[str] | None = None
    requests: list[str] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}.git"

    def push(
        self,
        name: str,
        files: Mapping[str, str | bytes | None],
        branch: str = "main",
        message: str = "change",
    ) -> str:
        """Commit these files on top of the branch (None removes one); the commit's id."""
        bare, work = self.root / f"{name}.git", self.root / "work" / name
        if not bare.exists():
            self._git("init", "--quiet", "--bare", "--initial-branch", branch, str(bare))
            for key in ("allowAnySHA1InWant", "allowFilter"):  # as GitHub
                self._git("-C", str(bare), "config", f"uploadpack.{key}", "true")
            self._git("init", "--quiet", "--initial-branch", branch, str(work))
        for path, content in files.items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                place.unlink()
                continue
            place.write_bytes(content.encode() if isinstance(content, str) else content)
            place.chmod(0o755 if str(content).startswith("#!") else 0o644)
        self._git("-C", str(work), "add", "--all")
        self._git("-C", str(work), "commit", "--quiet", "--allow-empty", "--message", message)
        self._git("-C", str(work), "push", "--quiet", "--force", str(bare), f"HEAD:{branch}")
        return self._git("-C", str(work), "rev-parse", "HEAD").strip()

    def move(self, name: str, branch: str, commit: str) -> None:
        """Have the branch stand at a commit the repository knows, as a forced push does."""
        bare, work = self.root / f"{name}.git", self.root / "work" / name
        self._git("-C", str(bare), "update-ref", f"refs/heads/{branch}", commit)
        self._git("-C", str(work), "reset", "--quiet", "--hard", commit)

    def _git(self, *words: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root)} | _IDENTITY
        return subprocess.run(
            ["git", *words], env=env, check=True, capture_output=True, text=True
        ).stdout

    def allows(self, header: str | None) -> bool:
        if not self.users and self.tokens is None:
            return True
        known = [*self.users.items(), *(("x-access-token", token) for token in self.tokens or ())]
        pairs = {
            "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            for user, password in known
        }
        return header in pairs


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            server.requests.append(self.path)
            if not server.allows(self.headers["Authorization"]):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            env = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command, "PATH_INFO": path,
                "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)), "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }  # fmt: skip
            output = subprocess.run(
                ["git", "http-backend"], input=body, env=env, check=True, capture_output=True
            ).stdout
            head, _, content = output.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def git_server(root: Path) -> Iterator[GitServer]:
    server = GitServer(root)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield server
        http.shutdown()
        thread.join()
