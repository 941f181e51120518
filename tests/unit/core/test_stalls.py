"""What blocks an event loop is found, and who did it; a machine that is busy is no stall."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from aweigh.core.stalls import ALLOWED, Allowed, Stall, StallDetector, allowed_by

HEAVY = json.dumps(list(range(1_000_000)))


async def stalls_of(
    work: Callable[[], object],
    limit: float = 0.25,
    is_allowed: Callable[[Sequence[FrameType]], bool] | None = None,
) -> list[Stall]:
    """What a detector of its own, on a loop of its own, reports of this."""
    found: list[Stall] = []

    async def main() -> None:
        detector = StallDetector(found.append, is_allowed, limit)
        detector.start()
        await asyncio.sleep(0.2)
        work()
        await asyncio.sleep(0.2)
        detector.stop()

    await asyncio.to_thread(lambda: asyncio.run(main()))
    return found


def waits() -> None:
    time.sleep(1)


def computes() -> None:
    end = time.thread_time() + 1
    while time.thread_time() < end:
        hashlib.sha256(b"x" * 1000)


def parses() -> None:
    """In one call, that lets no other thread of Python's run."""
    end = time.thread_time() + 1
    while time.thread_time() < end:
        json.loads(HEAVY)


@pytest.mark.parametrize("work", [waits, computes, parses])
async def test_what_holds_the_loop_is_found_and_named(work: Callable[[], object]) -> None:
    [stall] = await stalls_of(work)

    assert stall.seconds > 0.25
    assert work.__name__ in str(stall)


async def test_what_is_short_or_allowed_is_none() -> None:
    why = allowed_by((*ALLOWED, Allowed("test_stalls.py", "waits", "the test says so")))

    assert await stalls_of(lambda: None) == []
    assert await stalls_of(waits, is_allowed=why) == []
    assert await stalls_of(waits, limit=30) == []


PROGRAM = """
import asyncio, sys
from pathlib import Path
from aweigh.core.stalls import StallDetector, into_file

async def main():
    detector = StallDetector(into_file(Path(sys.argv[1])))
    detector.start()
    print("watching", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    detector.stop()

asyncio.run(main())
"""


@contextmanager
def watching(noted: Path) -> Iterator[int]:
    """A process that does nothing but watch its loop."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, noted],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        yield process.pid
        process.stdin.write("\n")
        process.stdin.flush()
    assert process.returncode == 0


def test_a_process_that_was_stopped_has_not_stalled(tmp_path: Path) -> None:
    noted = tmp_path / "stalls"
    with watching(noted) as pid:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(pid, signal.SIGCONT)

    assert not noted.exists()


def test_a_process_that_others_keep_from_running_has_not_stalled(tmp_path: Path) -> None:
    """Of a low priority, on a processor where others compute."""
    noted, processor = tmp_path / "stalls", min(os.sched_getaffinity(0))
    busy = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    with watching(noted) as pid:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {processor})
            os.setpriority(os.PRIO_PROCESS, int(task.name), 19)
        hogs = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(2)]
        time.sleep(2)
        for hog in hogs:
            hog.kill()
            hog.wait()

    assert not noted.exists()
