"""Stops every part of a stack at one moment of its work: `stopper.py UP_PID MOMENT ...`.

    file DIRECTORY NAME     a file of that name (or pattern) is made in the directory, or renamed
    container NAME          the engine knows a container of that name
    start NAME              the container of that name was started
    image NAME              the engine knows an image of that name

A program of its own, because milliseconds count: the test's process is busy with a load, and a
step of a deployment may take no longer than five of them.
"""

import ctypes
import fnmatch
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MOVED_TO, CREATE = 0x80, 0x100
EVENT = struct.Struct("iIII")
ENGINE = "/var/run/docker.sock"


def wait_for_file(directory: str, name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    notify = libc.inotify_init1(os.O_CLOEXEC)
    if libc.inotify_add_watch(notify, os.fsencode(directory), MOVED_TO | CREATE) < 0:
        raise OSError(ctypes.get_errno(), directory)
    say("armed")
    while not fnmatch.filter(names_in(os.read(notify, 65536)), name):
        pass


def names_in(events: bytes) -> Iterator[str]:
    while events:
        *_, length = EVENT.unpack_from(events)
        yield os.fsdecode(events[EVENT.size : EVENT.size + length].rstrip(b"\0"))
        events = events[EVENT.size + length :]


def wait_for_container(name: str) -> None:
    wait_until(lambda: engine_knows(f"containers/{name}"))


def wait_for_start(name: str) -> None:
    never = b'"StartedAt":"0001'
    wait_until(lambda: never not in (engine_knows(f"containers/{name}") or never))


def wait_for_image(name: str) -> None:
    wait_until(lambda: engine_knows(f"images/{name}"))


def wait_until(true: Callable[[], object]) -> None:
    say("armed")
    while not true():
        time.sleep(0.001)


def engine_knows(what: str) -> bytes:
    """What the engine says of something; nothing while it is not there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(ENGINE)
        connection.sendall(f"GET /{what}/json HTTP/1.0\r\n\r\n".encode())
        with connection.makefile("rb") as file:
            answer = file.read()
    return answer if b" 200 " in answer[:32] else b""


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


WAITS: dict[str, Callable[..., None]] = {
    "file": wait_for_file, "container": wait_for_container, "start": wait_for_start,
    "image": wait_for_image,
}  # fmt: skip


def main(up: str, kind: str, *words: str) -> None:
    with suppress(PermissionError):  # only root may go first
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    WAITS[kind](*words)
    # Linux lists them by the thread that started them.
    children = [
        int(pid)
        for thread in Path(f"/proc/{up}/task").iterdir()
        for pid in (thread / "children").read_text().split()
    ]
    for child in reversed(children):
        os.kill(child, signal.SIGSTOP)


if __name__ == "__main__":
    main(*sys.argv[1:])
