"""A child process that takes a question on its standard input and prints an answer."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    #: What was printed, or one byte more than the most.
    printed: bytes
    #: The exit code.
    code: int


async def ask(
    command: Sequence[str],
    question: bytes,
    *,
    most: int,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program until its end, or until it prints more than `most` bytes: then it is killed.

    It gets nothing of this process's environment, and is killed if the call is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"LANG": "C.UTF-8", **(environment or {})},
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        printed = await _exchange(process, question, most)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()  # `wait` alone would wait for ever for unread output
    return Answer(printed, process.returncode or 0)


async def _exchange(process: asyncio.subprocess.Process, question: bytes, most: int) -> bytes:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the process was started without pipes")
    with contextlib.suppress(ConnectionError):  # it may end without reading
        stdin.write(question)
        await stdin.drain()
    stdin.close()
    printed = bytearray()
    while chunk := await stdout.read(most + 1 - len(printed)):
        printed += chunk
    if len(printed) <= most:
        await process.wait()
    return bytes(printed)
