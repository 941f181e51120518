"""A real git server over HTTP: `git http-backend` behind Basic authentication, with Git LFS."""

import base64
import os
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from examples.demo import git_backend
from tests.support.lfs_server import LfsServer

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
    #: The paths that were asked for, and the `Authorization` that came with each.
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    lfs: LfsServer = field(default_factory=LfsServer)
    #: Installation tokens that open everything, too; the collection may grow.
    tokens: Collection[str] | None = None
    #: Where requests below a path are sent instead: paths, or addresses of another server.
    moved: dict[str, str] = field(default_factory=dict)
    #: By which ids of new repositories are made.
    object_format: str = "sha1"

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}.git"

    def push(
        self,
        name: str,
        files: Mapping[str, str | bytes | None],
        branch: str = "main",
        *,
        links: Mapping[str, str] | None = None,
        message: str = "change",
    ) -> str:
        """Commit these files on top of the branch (None removes one); the commit's id.

        `links`: the commits of other repositories that stand at a path, as a submodule's does.
        """
        bare, work = self.bare(name), self.tree(name)
        if not work.exists():
            self.git("init", "--quiet", f"--object-format={self.object_format}", str(work))
        for path, content in files.items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                place.unlink()
                continue
            place.write_bytes(content.encode() if isinstance(content, str) else content)
            place.chmod(0o755 if str(content).startswith("#!") else 0o644)
        self.git("-C", str(work), "add", "--all")
        for path, commit in (links or {}).items():
            link = f"160000,{commit},{path}"
            self.git("-C", str(work), "update-index", "--add", "--cacheinfo", link)
        self.git("-C", str(work), "commit", "--quiet", "--allow-empty", "--message", message)
        to = f"HEAD:{branch if branch.startswith('refs/') else f'refs/heads/{branch}'}"
        self.git("-C", str(work), "push", "--quiet", "--force", str(bare), to)
        return self.git("-C", str(work), "rev-parse", "HEAD").strip()

    def move(self, name: str, branch: str, commit: str) -> None:
        """Have the branch stand at a commit the repository knows, as a forced push does."""
        self.git("-C", str(self.bare(name)), "update-ref", f"refs/heads/{branch}", commit)
        work = self.tree(name)
        self.git("-C", str(work), "reset", "--quiet", "--hard", commit)

    def tree(self, name: str) -> Path:
        """Where the files of a repository are that `push` commits."""
        return self.root / "trees" / name

    def bare(self, name: str) -> Path:
        """Where a repository is; it is made unless it is there."""
        place = self.root / f"{name}.git"
        if not place.exists():
            kind = f"--object-format={self.object_format}"
            self.git("init", "--quiet", "--bare", "--initial-branch", "main", kind, str(place))
            for key in ("allowAnySHA1InWant", "allowFilter"):  # as GitHub
                self.git("-C", str(place), "config", f"uploadpack.{key}", "true")
        return place

    def blob(self, name: str, content: str) -> str:
        """Keep a blob; its id."""
        words = ("-C", str(self.bare(name)), "hash-object", "-w", "--stdin")
        return self.git(*words, stdin=content).strip()

    def commit(self, name: str, *entries: str) -> str:
        """A commit of these entries of a tree, as nobody's `git add` would make it; its id."""
        at = ("-C", str(self.bare(name)))
        tree = self.git(*at, "mktree", "--missing", stdin="\n".join(entries) + "\n").strip()
        return self.git(*at, "commit-tree", "-m", "made by hand", tree).strip()

    def tag(self, name: str, tag: str, commit: str, *, annotated: bool = False) -> None:
        more = ("--annotate", "--message", "a release") if annotated else ()
        self.git("-C", str(self.bare(name)), "tag", *more, tag, commit)

    def git(self, *words: str, stdin: str = "") -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root)} | _IDENTITY
        return subprocess.run(
            ["git", *words], env=env, check=True, capture_output=True, text=True, input=stdin
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

    def target_of(self, path: str) -> str | None:
        """Where a request is redirected."""
        for before, after in self.moved.items():
            if path.startswith(f"{before}/"):
                return after + path.removeprefix(before)
        return None

    @property
    def credentials_seen(self) -> set[str]:
        """Every `Authorization` that came."""
        return {header for _, header in self.requests if header}


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            server.requests.append((self.path, self.headers["Authorization"]))
            target = server.target_of(self.path)
            if target:
                self._send(301, {"Location": target, "Content-Length": "0"}, b"")
            elif not server.allows(self.headers["Authorization"]):
                self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            elif found := server.lfs.answer(f"http://{self.headers['Host']}", self.path, body):
                self._send(found.status, found.headers, found.body)
            else:
                said = git_backend.answer(server.root, self.command, self.path, self.headers, body)
                self._send(*said)

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def git_server(root: Path) -> Iterator[GitServer]:
    server = GitServer(root)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        http.shutdown()
        thread.join()
