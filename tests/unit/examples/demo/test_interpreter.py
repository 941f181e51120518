from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aweigh.core.errors import AweighError
from examples.demo.interpreter import find_interpreter


def test_all_that_the_program_loads_is_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import asyncio, collections.abc, wave\n")

    interpreter = find_interpreter(program)

    names = {module.name for module in interpreter.modules}
    assert {"os.py", "wave.py", "abc.py", "_collections_abc.py", "selector_events.py"} <= names
    assert not names & {"program.py", "ssl.py"}
    assert any(library.name.startswith(("ld-", "libc.")) for library in interpreter.libraries)


def test_the_interpreter_is_not_that_of_a_virtual_environment(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("")

    executable = find_interpreter(program).executable

    assert executable.is_relative_to(Path(sys.base_prefix).resolve())
    assert not executable.is_symlink()


def test_every_path_exists_and_can_be_put_in_an_archive(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import asyncio\n")

    interpreter = find_interpreter(program)

    for path in (*interpreter.modules, *interpreter.libraries, *interpreter.directories):
        assert path.exists()
        assert str(path) == os.path.normpath(path)
        assert path.is_absolute()


def test_a_program_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import no_such_module\n")

    with pytest.raises(AweighError, match="no_such_module"):
        find_interpreter(program)
