"""What a command prints, and how it fails."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aweigh.core.errors import AweighError
from worker.process import CANNOT_START


def say(text: str) -> None:
    """Print a line at once, also where the output is a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the command with exit code 3 and one line where Aweigh reports an error."""
    try:
        yield
    except AweighError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        sys.exit(CANNOT_START)
