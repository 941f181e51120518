"""Command line tools: each in a process group of its own, killed as a group."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from aweigh.core.text import CUT

#: How much of a tool's output is kept for the error it ends with, in bytes: a secret in it that is
#: wrapped must be whole.
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
    """Run a command to its end; its exit code and the last lines of both its streams.

    `tell` gets every line as it comes. Where `end` is another one than that of lines, a program
    reads them: they are such pieces, and of the output alone. A cancel kills the whole group, and
    waits for that.
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
            if end == LINES:  # a progress bar writes its own over and over: each state is one
                begun = begun.replace(b"\r", LINES)
            *whole, begun = begun.split(end)
            if len(begun) > _CHUNK:  # whoever prints it may never end it
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
