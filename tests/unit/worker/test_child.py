"""A process of the local stack is started beside the event loop, and never left over."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from worker.child import Child, Starter

WAITS = "import time; time.sleep(600)"
STAYS = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n"

PARENT = """
import asyncio, os, sys
from pathlib import Path
from worker.child import Child, Starter

async def main():
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = Child("one", sleeping, os.environ, Path(sys.argv[1]))
    await child.start(Starter())
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""

Making = Callable[[str], Child]


@pytest.fixture
async def making(tmp_path: Path) -> AsyncIterator[Making]:
    made: list[Child] = []

    def make(script: str) -> Child:
        command = [sys.executable, "-c", script]
        made.append(Child("one", command, os.environ, tmp_path / "log"))
        return made[-1]

    yield make
    for child in made:
        await child.end(0)


async def test_its_exit_code_is_known_each_time(making: Making) -> None:
    starter, child = Starter(), making("import sys; sys.exit(7)")

    for _ in range(2):
        await child.start(starter)
        assert await child.wait() == 7
        assert child.pid is None


async def test_one_that_was_never_started_has_nothing_to_end(making: Making) -> None:
    child = making(WAITS)

    await child.end(60)

    assert child.pid is None


async def test_one_that_is_deaf_is_ended_by_force(making: Making) -> None:
    child = making(STAYS + WAITS)
    await child.start(Starter())
    while not child.log.read_text():
        await asyncio.sleep(0.01)

    await child.end(0.1)

    assert await child.wait() == -signal.SIGKILL


async def test_the_loop_goes_on_while_one_is_started(making: Making) -> None:
    """Here that takes until somebody reads its log."""
    child = making(WAITS)
    os.mkfifo(child.log)

    starting = asyncio.create_task(child.start(Starter()))
    await asyncio.sleep(0)
    ending = asyncio.create_task(child.end(60))
    await asyncio.sleep(0)
    reader = os.open(child.log, os.O_RDONLY | os.O_NONBLOCK)
    await asyncio.gather(starting, ending)
    os.close(reader)

    assert await child.wait() == -signal.SIGTERM


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path / "log"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
