"""Another server of a stack's installation: a server worker with data, names and ports of its own.

It works on the same engine, as a machine of its own would on its own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aweigh.core.settings import Settings
from tests.support.leftovers import remove_leftovers
from tests.support.stack import Stack, new_stack
from worker.installation import install

START_SECONDS = 300


@asynccontextmanager
async def second_server(
    stack: Stack, directory: Path, name: str, **settings: str
) -> AsyncIterator[str]:
    """A server of that name, with these settings, that serves; the prefix of what it makes."""
    await install(Settings(data=stack.data, server=name))
    own = new_stack(
        directory,
        AWEIGH_SERVER=name,
        AWEIGH_SERVER_TOKEN_FILE=str(stack.data / "tokens" / f"server-{name}"),
        AWEIGH_API_URL=stack.api_url,
        **settings,
    )
    await own.client.aclose()
    environment = {**own.environment, "AWEIGH_TEMPORAL_ADDRESS": stack.temporal_address}
    own.data.mkdir(parents=True)
    log = own.data / "server.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", "worker", "server",
            env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        serving = own.data / "server" / "serving"
        async with asyncio.timeout(START_SECONDS):
            while True:
                assert process.returncode is None, log.read_text()
                if serving.exists():
                    break
                await asyncio.sleep(0.05)
        yield own.prefix
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
            await process.wait()
        remove_leftovers(own.prefix)
        shutil.rmtree(own.data, ignore_errors=True)
