"""`aweigh install`: create an installation's files, or migrate them to this version."""

import asyncio

from sqlalchemy.engine import make_url

from aweigh.core.settings import Settings
from cli.output import say
from worker.installation import install
from worker.process import run
from worker.secrets import ADMIN
from worker.store import keys_file


def install_here() -> None:
    """Create missing files, and print where they are."""

    async def main(settings: Settings, _stop: asyncio.Event) -> None:
        await install(settings)
        say(f"Database      {make_url(settings.database)}")  # without its password
        say(f"Keys          {keys_file(settings)}")
        say(f"Admin token   {settings.tokens / ADMIN}")
        say(f"Server token  {settings.tokens / f'server-{settings.server}'}")

    run(main)
