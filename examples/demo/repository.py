"""The demo's own git repository, served on loopback for as long as the stack runs."""

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
_LOOK_SECONDS: Final = 0.05
#: What GitHub says was there before a branch's first commit.
NOTHING: Final = "0" * 40


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
        """What the server worker must be allowed to reach, and nothing else of this machine."""
        return f"{_HOST}:{self.port}"

    def push(self, files: Mapping[str, str], message: str) -> tuple[str, str]:
        """Commit these files to main; the commits before and after.

        Raises:
            AweighError: git cannot do it.
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
        return before or NOTHING, self._git("-C", str(work), "rev-parse", "HEAD")

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
    """The repository, readable on a port of its own; it is made when it is pushed to."""
    with ThreadingHTTPServer((_HOST, 0), _handler(root)) as server:
        serving = threading.Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), daemon=True)
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
            said = git_backend.answer(root, self.command, self.path, self.headers, body)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_: object) -> None:
            """Nobody wants to read it between the lines of the demo."""

    return Handler
