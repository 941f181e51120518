"""Runs command line tools, each in its own process group, which is killed as a whole."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from aweigh.core.text import CUT

#: How many bytes of a tool's output are kept for an error; enough for a whole wrapped secret.
_KEPT: Final = 256 * 1024
_CHUNK: Final = 64 * 1024
LINES: Final = b"\n"


async def run_tool(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    directory: Path,
    tell: Callable[[str], None] = lambda line: None,
    end: bytes = LINES,
) -> tuple[int, list[str]]:
    """Run a command; return its exit code and the last lines of both its streams.

    `tell` gets every line as it arrives. With another separator than the default, `end` splits the
    output instead, and errors are dropped. A cancel kills the process group and waits for its end.
    """
    errors = asyncio.subprocess.STDOUT if end == LINES else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(env),
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    output = cast(asyncio.StreamReader, process.stdout)
    lines: deque[str] = deque()
    kept, begun = 0, b""
    try:
        while chunk := await output.read(_CHUNK):
            begun += chunk
            if end == LINES:  # each state of a progress bar becomes a line
                begun = begun.replace(b"\r", LINES)
            *whole, begun = begun.split(end)
            if len(begun) > _CHUNK:  # the line may never end
                whole, begun = [*whole, begun + (CUT.encode() if end == LINES else b"")], b""
            for line in whole:
                lines.append(line.decode(errors="replace"))
                tell(lines[-1])
                kept += len(lines[-1]) + 1
                while kept > _KEPT:
                    kept -= len(lines.popleft()) + 1
        return await process.wait(), [*lines, begun.decode(errors="replace")]
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
