"""`aweigh proxy`: the proxy of this server."""

import asyncio
import sys

from aweigh.core.errors import AweighError
from cli.up import say
from worker.process import CANNOT_START, load_settings
from worker.proxy import recreate


def recreate_proxy() -> None:
    """Recreate, and say that it answers."""
    try:
        asyncio.run(recreate(load_settings()))
    except AweighError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        sys.exit(CANNOT_START)
    say("The proxy answers, with the settings as they are now.")
