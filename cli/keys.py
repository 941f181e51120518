"""`aweigh keys`: the keys that secrets are sealed with."""

import asyncio
import sys

from aweigh.core.errors import AweighError
from cli.up import say
from worker.keys import rotate
from worker.process import CANNOT_START, load_settings


def rotate_keys() -> None:
    """Rotate, and say how much was sealed anew."""
    try:
        count = asyncio.run(rotate(load_settings()))
    except AweighError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        sys.exit(CANNOT_START)
    say(f"{count} values are sealed with a new key. Keep the old keys: backups need them.")
