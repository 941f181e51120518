"""`aweigh keys`: the keys that encrypt secrets."""

import asyncio

from cli.output import one_line_errors, say
from worker.keys import rotate
from worker.process import load_settings


def rotate_keys() -> None:
    """Add a new key, and print how many secrets were encrypted again."""
    with one_line_errors():
        count = asyncio.run(rotate(load_settings()))
    say(f"{count} values were encrypted with a new key. Keep the old keys: backups need them.")
