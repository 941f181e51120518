"""What differs from run to run is refused in workflows: the sandbox would not see it."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.worker.workflow_sandbox import SandboxMatcher, SandboxRestrictions

ROOT = Path(__file__).parents[2]


def complaints(code: str, place: str) -> list[dict[str, Any]]:
    """What the linter says of a module at this place."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--output-format", "json",
         "--select", "TID251,PTH123", "--stdin-filename", place, "-"],
        input=code, capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    return list(json.loads(done.stdout))


def refused(code: str, place: str) -> set[str]:
    """The names that the linter refuses in a module at this place."""
    return {one["message"].split("`")[1] for one in complaints(code, place)}


def names_in(table: SandboxMatcher, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every name that the sandbox would refuse."""
    yield from ((*path, name) for name in sorted(table.use))
    for name, inner in table.children.items():
        yield from names_in(inner, (*path, name))


BUILTINS = "__builtins__"
REFUSED_BY_SANDBOX = [*names_in(SandboxRestrictions.invalid_module_members_default)]


def use_of(name: tuple[str, ...]) -> str:
    """One line that uses it."""
    if name[-1] == "*":
        return f"import {'.'.join(name[:-1])}"
    return f"import {name[0]}; {'.'.join(name)}"


def test_a_workflow_may_not_use_what_the_sandbox_would_refuse() -> None:
    names = [name for name in REFUSED_BY_SANDBOX if name[0] != BUILTINS]
    code = "\n".join(map(use_of, names))

    said = {one["location"]["row"] for one in complaints(code, "workflows/example.py")}

    assert len(names) > 100
    assert [name for row, name in enumerate(names, 1) if row not in said] == []


def test_no_workflow_asks_for_input_or_a_file() -> None:
    """Built-in functions, most of which the linter has no rule for."""
    builtins = {name[1] for name in REFUSED_BY_SANDBOX if name[0] == BUILTINS}
    used = {
        node.id
        for path in (ROOT / "workflows").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name)
    }

    assert "input" in builtins
    assert not builtins & used


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import time", "time"),
        ("from time import sleep", "time"),
        ("import random as r", "random"),
        ("from uuid import uuid4", "uuid"),
        ("import os.path", "os"),
        ("from datetime import datetime\n\nnow = datetime.now()", "datetime.datetime.now"),
        ("import asyncio\n\nrun = asyncio.to_thread", "asyncio.to_thread"),
        ("from pathlib import Path", "pathlib"),
        ("open('x')", "open()"),
        (
            "import asyncio\n\nf = asyncio.create_subprocess_exec",
            "asyncio.create_subprocess_exec",
        ),
        ("import asyncio\n\nrun = asyncio.open_connection", "asyncio.open_connection"),
        ("import asyncio\n\nat = asyncio.get_running_loop().time()", "asyncio.get_running_loop"),
    ],
)
def test_a_workflow_may_not(code: str, name: str) -> None:
    assert refused(code, "workflows/example.py") == {name}
    assert refused(code, "worker/example.py") <= {"open()"}
