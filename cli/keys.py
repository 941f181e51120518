"""`aweigh keys`: the keys that secrets are sealed with."""

import asyncio

from cli.output import one_line_errors, say
from worker.keys import rotate
from worker.process import load_settings


def rotate_keys() -> None:
    """Add a new key, and print how many secrets were sealed anew."""
    with one_line_errors():
        count = asyncio.run(rotate(load_settings()))
    say(f"{count} values are sealed with a new key. Keep the old keys: backups need them.")
