"""What differs from run to run is refused in workflows: the sandbox would not see it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def refused(code: str, place: str) -> set[str]:
    """The names that the linter refuses in a module at this place."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--output-format", "json",
         "--select", "TID251,PTH123", "--stdin-filename", place, "-"],
        input=code, capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    return {one["message"].split("`")[1] for one in json.loads(done.stdout)}


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
    ],
)
def test_a_workflow_may_not(code: str, name: str) -> None:
    assert refused(code, "workflows/example.py") == {name}
    assert refused(code, "worker/example.py") <= {"open()"}
