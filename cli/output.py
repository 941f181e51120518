"""Output and errors of commands."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aweigh.core.errors import AweighError
from worker.process import CANNOT_START


def say(text: str) -> None:
    """Print a line immediately, even to a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Report an error of Aweigh in one line, and end the command with exit code 3."""
    try:
        yield
    except AweighError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        sys.exit(CANNOT_START)
