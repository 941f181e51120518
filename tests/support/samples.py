"""A Python and a Node application, each with a package that its buildpack installs."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass


def wheel(name: str, code: str, version: str = "1.0") -> bytes:
    """A package of one module, as pip installs it."""
    place = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{place}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{place}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (files | {f"{place}/RECORD": f"{record}{place}/RECORD,,\n"}).items():
            archive.writestr(path, text)
    return buffer.getvalue()


def tarball(name: str, code: str) -> bytes:
    """A package of one module, as npm installs it."""
    files = {"package.json": json.dumps({"name": name, "version": "1.0.0"}), "index.js": code}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Sample:
    """A repository, what a second push changes, what a third one breaks, and what is said.

    The third one takes another package, too, and its build fails with that package's words.
    """

    files: Mapping[str, str | bytes]
    second: Mapping[str, str]
    broken: Mapping[str, str | bytes]
    installs: str
    reuses: str
    layer: str


_PYTHON = """
import http.server, os
from greeting import words

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{words} NUMBER".encode())

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
_NODE = """
const words = require("greeting");
const server = require("http").createServer((_, answer) => answer.end(`${words} NUMBER`));
server.listen(process.env.PORT);
"""
_PACKAGE = {
    "name": "shop", "version": "1.0.0", "dependencies": {"greeting": "file:greeting.tgz"},
    "scripts": {"build": "node build.js"},
}  # fmt: skip
#: What the packages of the third push say.
FAREWELL = "farewell from another package"
SAMPLES = {
    "python": Sample(
        files={
            "requirements.txt": "greeting==1.0\n",
            "wheels/greeting-1.0-py3-none-any.whl": wheel("greeting", "words = 'hello from pip'"),
            "build.py": "import greeting",
            "app.py": _PYTHON.replace("NUMBER", "1"),
            "Procfile": "web: /usr/local/bin/python -B app.py\n",
        },
        second={"app.py": _PYTHON.replace("NUMBER", "2")},
        broken={
            "requirements.txt": "greeting==2.0\n",
            "wheels/greeting-2.0-py3-none-any.whl": wheel(
                "greeting", f"words = {FAREWELL!r}", "2.0"
            ),
            "build.py": "import greeting; raise SystemExit(greeting.words)",
        },
        installs="python: pip installs the packages",
        reuses="python: the packages are those of the last build",
        layer="aweigh/python:packages",
    ),
    "node": Sample(
        files={
            "package.json": json.dumps(_PACKAGE),
            "greeting.tgz": tarball("greeting", "module.exports = 'hello from npm';"),
            "build.js": "console.log('built by node', process.version);",
            "server.js": _NODE.replace("NUMBER", "1"),
            "Procfile": "web: /usr/local/bin/node server.js\n",
        },
        second={"server.js": _NODE.replace("NUMBER", "2")},
        broken={
            "package.json": json.dumps(_PACKAGE | {"version": "2.0.0"}),
            "greeting.tgz": tarball("greeting", f"module.exports = {FAREWELL!r};"),
            "build.js": "throw new Error(require('greeting'));",
        },
        installs="node: npm installs the modules",
        reuses="node: the modules are those of the last build",
        layer="aweigh/node:modules",
    ),
}
