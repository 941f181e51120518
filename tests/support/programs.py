"""What the containers of tests run instead of, or before, the sample application."""

from __future__ import annotations

from typing import Any

from examples.demo.image import PYTHON

APPLICATION = "/app/application.py"


def runs(code: str) -> dict[str, Any]:
    """Settings of an application that runs this Python code."""
    return {"entrypoint": [PYTHON, "-u", "-c"], "command": [code]}


def begins_with(code: str) -> dict[str, Any]:
    """Settings of the sample application that first runs this Python code, in one process."""
    return runs(f"import os, sys\n{code}\nos.execv({PYTHON!r}, [{PYTHON!r}, {APPLICATION!r}])")


def releases_with(code: str) -> dict[str, Any]:
    """Settings of the sample application with a release command that runs this Python code."""
    return {
        "entrypoint": [PYTHON, "-u"],
        "command": [APPLICATION],
        "release_command": ["-c", code],
    }
