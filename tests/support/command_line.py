"""The `aweigh` command, run to its end."""

import asyncio
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left."""

    code: int
    output: str
    errors: str


async def aweigh(*arguments: str, **settings: str) -> Ended:
    """Run it with these settings and no others."""
    bare = {key: value for key, value in os.environ.items() if not key.startswith("AWEIGH_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", *arguments, env=bare | settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    return Ended(code=process.returncode or 0, output=output.decode(), errors=errors.decode())
