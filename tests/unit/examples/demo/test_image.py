from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from examples.demo.image import APPLICATION, PYTHON, layer
from examples.demo.interpreter import Interpreter, find_interpreter


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    return find_interpreter(APPLICATION)


@pytest.fixture(scope="module")
def archive(interpreter: Interpreter) -> Iterator[tarfile.TarFile]:
    with tarfile.open(fileobj=io.BytesIO(layer(interpreter))) as opened:
        yield opened


def test_the_same_input_gives_the_same_layer(interpreter: Interpreter) -> None:
    assert layer(interpreter) == layer(interpreter)


def test_the_layer_holds_the_application_and_an_interpreter(
    archive: tarfile.TarFile, interpreter: Interpreter
) -> None:
    python = archive.getmember(PYTHON.lstrip("/"))

    application = archive.extractfile("app/application.py")
    assert application is not None
    assert application.read() == APPLICATION.read_bytes()
    assert python.linkname == str(interpreter.executable)
    assert archive.getmember(python.linkname.lstrip("/")).mode == 0o755
    for file in (*interpreter.modules, *interpreter.libraries):
        assert archive.getmember(str(file).lstrip("/")).isfile()


def test_the_library_does_not_have_to_be_compiled_in_the_container(
    archive: tarfile.TarFile,
) -> None:
    assert any(name.endswith(".pyc") and "asyncio" in name for name in archive.getnames())


def test_nothing_in_the_layer_tells_who_made_it_or_when(archive: tarfile.TarFile) -> None:
    members = archive.getmembers()

    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {
        (0, 0, "", 0)
    }
    assert [member.name for member in members] == sorted(member.name for member in members)


def test_everybody_may_write_to_tmp_only(archive: tarfile.TarFile) -> None:
    writable = [member.name for member in archive.getmembers() if member.mode & 0o002]

    assert [name for name in writable if not archive.getmember(name).issym()] == ["tmp"]
