"""Reading what a container prints, on a real engine."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import docker
import pytest
from docker.models.containers import Container

from aweigh.engine.engine import Engine
from aweigh.engine.output import Line, Output
from examples.demo.image import PYTHON, base_image
from tests.support.outside import until

pytestmark = pytest.mark.docker


@pytest.fixture
def printing(engine: docker.DockerClient) -> Iterator[Callable[[str], Container]]:
    made: list[Container] = []

    def run(script: str) -> Container:
        command = [PYTHON, "-I", "-S", "-u", "-c", script]
        made.append(engine.containers.run(base_image(engine), entrypoint=command, detach=True))
        return made[-1]

    yield run
    for one in made:
        one.remove(force=True)


async def read(container: Container, after: str = "") -> list[Line]:
    output = Output(Engine("unix:///var/run/docker.sock"), str(container.name))
    return [line async for batch in output.lines(after) for line in batch]


async def test_a_long_line_is_one_and_is_cut(printing: Callable[[str], Container]) -> None:
    container = printing("print('a' * 100_000); print('b' * 8192); print(); print('end', end='')")

    container.wait()
    lines = await read(container)

    assert [line.text for line in lines] == ["a" * 8192 + "…", "b" * 8192, "", "end"]
    for number, line in enumerate(lines):
        assert await read(container, line.at) == lines[number + 1 :]


async def test_a_flood_leaves_everything_else_its_turn(
    printing: Callable[[str], Container],
) -> None:
    container = printing("while True: print('x' * 200)")
    output = Output(Engine("unix:///var/run/docker.sock"), str(container.name))
    turns, taken = 0, 0

    async def something_else() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    other = asyncio.create_task(something_else())
    threads = threading.active_count()
    stream = output.lines()
    async for batch in stream:
        taken += sum(len(line.text) for line in batch)
        assert sum(len(line.text) for line in batch) < 48 * 1024  # masking them takes a moment
        if taken > 20_000_000:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    other.cancel()

    async def its_thread_has_ended() -> bool:
        return threading.active_count() <= threads + 1

    assert turns > 20
    await until(its_thread_has_ended, 10)
