from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.demo import application
from tests.support.fake_parts import FakeParts

StartProcess = Callable[..., Awaitable[asyncio.subprocess.Process]]
StartApplication = Callable[..., Awaitable["RunningApplication"]]


@dataclass(frozen=True, kw_only=True)
class RunningApplication:
    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def start_process() -> AsyncIterator[StartProcess]:
    """Start the sample application as a process of its own, as a container would."""
    started: list[asyncio.subprocess.Process] = []

    async def start(**environment: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            Path(application.__file__),
            env={"PORT": "0", **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def start_application(start_process: StartProcess) -> StartApplication:
    """Start it, and wait until it listens."""

    async def start(**environment: str) -> RunningApplication:
        process = await start_process(**environment)
        assert process.stdout is not None
        await process.stdout.readuntil(b"listens on port ")
        return RunningApplication(process=process, port=int(await process.stdout.readline()))

    return start


@pytest.fixture
def parts(tmp_path: Path) -> FakeParts:
    """The parts of a server worker on fakes."""
    return FakeParts(tmp_path)
