"""`aweigh proxy`: the proxy of this server."""

import asyncio

from cli.output import one_line_errors, say
from worker.process import load_settings
from worker.proxy_recreation import recreate


def recreate_proxy() -> None:
    """Recreate the proxy's container and wait until it answers."""
    with one_line_errors():
        asyncio.run(recreate(load_settings()))
    say("The proxy runs with the current settings.")
