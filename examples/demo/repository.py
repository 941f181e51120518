"""The demo's git repository, served on loopback while the stack runs."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from aweigh.core.errors import AweighError
from examples.demo import git_backend

_HOST: Final = "127.0.0.1"
_IDENTITY: Final = {
    "GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Demo", "GIT_COMMITTER_EMAIL": "demo@example.com",
    "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
}  # fmt: skip
_POLL_SECONDS: Final = 0.05
#: GitHub's `before` of a branch's first push.
NO_COMMIT: Final = "0" * 40


@dataclass(frozen=True)
class Repository:
    """A bare repository `name` below `root`, and a working copy beside it."""

    root: Path
    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}/{self.name}.git"

    @property
    def target(self) -> str:
        """Address and port, for `AWEIGH_PRIVATE_TARGETS`."""
        return f"{_HOST}:{self.port}"

    def push(self, files: Mapping[str, str], message: str) -> tuple[str, str]:
        """Commit these files to main and push; return the commits before and after.

        Raises:
            AweighError: git failed.
        """
        work, bare = self.root / self.name, self.root / f"{self.name}.git"
        if not bare.exists():
            self._git("init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
        if not work.exists():
            self._git("clone", "--quiet", str(bare), str(work))
            self._git("-C", str(work), "checkout", "--quiet", "-B", "main")
        before = self._git("-C", str(work), "for-each-ref", "--format=%(objectname)", "refs/heads")
        for name, text in files.items():
            (work / name).write_text(text)
        self._git("-C", str(work), "add", "--all")
        self._git("-C", str(work), "commit", "--quiet", "--allow-empty", "--message", message)
        self._git("-C", str(work), "push", "--quiet", "origin", "main")
        return before or NO_COMMIT, self._git("-C", str(work), "rev-parse", "HEAD")

    def _git(self, *words: str) -> str:
        self.root.mkdir(parents=True, exist_ok=True)
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.root)} | _IDENTITY
        try:
            done = subprocess.run(
                ["git", *words], env=env, check=True, capture_output=True, text=True
            )
        except subprocess.CalledProcessError as error:
            raise AweighError(f"the demo's repository: {error.stderr.strip()}") from error
        except OSError as error:
            raise AweighError(f"git cannot be run: {error.strerror}") from error
        return done.stdout.strip()


@contextmanager
def served(root: Path, name: str) -> Iterator[Repository]:
    """Serve the repository, read-only, on a free port; the first push creates it."""
    with ThreadingHTTPServer((_HOST, 0), _handler(root)) as server:
        serving = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        serving.start()
        try:
            yield Repository(root, name, server.server_port)
        finally:
            server.shutdown()


def _handler(root: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def _answer(self, body: bytes) -> None:
            reply = git_backend.answer(root, self.command, self.path, self.headers, body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Keep requests out of the demo's output."""

    return Handler
