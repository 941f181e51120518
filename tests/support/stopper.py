"""Stops every part of a stack at one moment of its work: `stopper.py UP_PID MOMENT ...`.

    file DIRECTORY NAME     the file is made in, or renamed into, the directory
    container NAME          the engine knows a container of that name

A program of its own, because milliseconds count: the test's process is busy with a load, and a
step of a deployment may take no longer than five of them.
"""

import ctypes
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
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
    while name not in set(names_in(os.read(notify, 65536))):
        pass


def names_in(events: bytes) -> Iterator[str]:
    while events:
        *_, length = EVENT.unpack_from(events)
        yield os.fsdecode(events[EVENT.size : EVENT.size + length].rstrip(b"\0"))
        events = events[EVENT.size + length :]


def wait_for_container(name: str) -> None:
    say("armed")
    while not engine_knows(name):
        time.sleep(0.001)


def engine_knows(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(ENGINE)
        connection.sendall(f"GET /containers/{name}/json HTTP/1.0\r\n\r\n".encode())
        return b" 200 " in connection.recv(32)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(up: str, kind: str, *words: str) -> None:
    with suppress(PermissionError):  # only root may go first
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    {"file": wait_for_file, "container": wait_for_container}[kind](*words)
    for pid in reversed(Path(f"/proc/{up}/task/{up}/children").read_text().split()):
        os.kill(int(pid), signal.SIGSTOP)
    say("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
