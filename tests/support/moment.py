"""Stops processes at one moment of their work, so that they can be killed right there.

A process that is told to stop by another one goes on for a while; one that gets SIGSTOP in the
microseconds after it renamed a file, or the engine did something for it, has not come far.
"""

import asyncio
import ctypes
import os
import select
import signal
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import docker

Moment = Callable[[threading.Event], bool]
"""Blocks until the moment has come, in a thread; gives up, with False, once the event is set."""

_SECONDS = 60
_IN_MOVED_TO = 0x80
_IN_CREATE = 0x100
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


def file_appears(directory: Path, name: str) -> Moment:
    """The file is made in, or renamed into, the directory from now on."""
    directory.mkdir(parents=True, exist_ok=True)
    notify = _libc.inotify_init1(os.O_CLOEXEC)
    watch = _libc.inotify_add_watch(notify, os.fsencode(directory), _IN_MOVED_TO | _IN_CREATE)
    assert watch >= 0, os.strerror(ctypes.get_errno())

    def wait(given_up: threading.Event) -> bool:
        try:
            while not given_up.is_set():
                if select.select([notify], [], [], 0.1)[0] and name in set(_names(notify)):
                    return True
            return False
        finally:
            os.close(notify)

    return wait


def _names(notify: int) -> Iterator[str]:
    events = os.read(notify, 65536)
    while events:
        *_, length = _EVENT.unpack_from(events)
        yield os.fsdecode(events[_EVENT.size : _EVENT.size + length].rstrip(b"\0"))
        events = events[_EVENT.size + length :]


def engine_does(action: str, container: str) -> Moment:
    """The engine did something (`create`, `die`, `destroy`) with a container of that name."""
    # Since a second ago: the stream begins a moment after it was asked for.
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto", timeout=2)
    since, filters = int(time.time()) - 1, {"event": action, "container": container}

    def wait(given_up: threading.Event) -> bool:
        with client:
            while not given_up.is_set():
                with suppress(Exception):  # nothing happened for two seconds
                    for _ in client.events(since=since, filters=filters):
                        return True
        return False

    return wait


@asynccontextmanager
async def stopping(
    victims: Callable[[], list[int]], moment: Moment
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Stop the processes at the moment; the block is given what waits until they stand still."""
    given_up = threading.Event()

    def stop() -> None:
        if moment(given_up):
            for pid in victims():
                os.kill(pid, signal.SIGSTOP)

    async def stopped() -> None:
        async with asyncio.timeout(_SECONDS):
            await asyncio.shield(running)

    running = asyncio.ensure_future(asyncio.to_thread(stop))
    try:
        yield stopped
    finally:
        given_up.set()
        await running
