"""Clients of a build's log that are cut off and come back: every line once, by either endpoint."""

import asyncio
import json
from contextlib import suppress
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.support.building import STAMP, Builds
from tests.support.outside import until
from tests.support.stack import Stack

pytestmark = pytest.mark.docker
_LINES = 60
_SLOW = f"import time\nfor i in range({_LINES}): print('line', i, flush=True); time.sleep(0.1)"


class Streaming:
    """Reads events, and comes back with the id of the last one wherever it is cut off."""

    def __init__(self, stack: Stack, deployment_id: str) -> None:
        self._stack = stack
        self._path = f"/v1/deployments/{deployment_id}/log"
        self._event: dict[str, str] = {}
        self._last = ""
        self.lines: list[str] = []
        self.state = ""
        self.cuts = 0

    async def read(self) -> None:
        while not self.state:
            try:
                await self._read_until_cut()
            except httpx2.TransportError:
                self.cuts += 1
            await asyncio.sleep(0.05)

    async def _read_until_cut(self) -> None:
        self._event = {}
        headers = {
            "Authorization": f"Bearer {self._stack.token}", "Accept": "text/event-stream",
            "Last-Event-ID": self._last,
        }  # fmt: skip
        async with self._stack.client.stream("GET", self._path, headers=headers) as answer:
            async for line in answer.aiter_lines():
                self._take(line)

    def _take(self, line: str) -> None:
        if line:
            name, _, value = line.partition(":")
            self._event[name] = value.removeprefix(" ")
            return
        event, self._event = self._event, {}
        if event.get("event") == "end":
            self.state = json.loads(event["data"])
        elif "data" in event:
            self.lines.append(json.loads(event["data"]))
            self._last = event["id"]


class Ranging:
    """Asks again and again for what comes behind the bytes it has."""

    def __init__(self, stack: Stack, deployment_id: str) -> None:
        self._stack = stack
        self._path = f"/v1/deployments/{deployment_id}/log"
        self.data = b""

    async def read(self) -> None:
        while True:
            with suppress(httpx2.TransportError):
                await self.more()
            await asyncio.sleep(0.05)

    async def more(self) -> None:
        headers = {"Range": f"bytes={len(self.data)}-"}
        answer = await self._stack.call("GET", self._path, headers=headers)
        if answer.status_code == 206:
            self.data += answer.content


async def test_every_line_comes_once_while_api_and_worker_are_killed(builds: Builds) -> None:
    stack = builds.stack
    deployment = (await stack.deploy(await builds.runs("followed", _SLOW), wait=0)).json()
    streaming, ranging = Streaming(stack, deployment["id"]), Ranging(stack, deployment["id"])
    reading = [asyncio.create_task(one.read()) for one in (streaming, ranging)]

    async def seen(number: int) -> Any:
        return any(line.endswith(f" line {number}") for line in streaming.lines)

    for number, parts in ((3, ["api"]), (15, ["server"]), (28, ["api", "server"])):
        await until(partial(seen, number))
        await stack.ready()  # what was killed before is there again
        stack.kill(*parts)
    await asyncio.wait_for(reading[0], 120)
    reading[1].cancel()
    await stack.ready()
    await ranging.more()

    assert streaming.state == "succeeded"
    assert streaming.cuts >= 2
    assert ranging.data.decode() == await stack.log(deployment["id"])
    assert streaming.lines == ranging.data.decode().splitlines()
    printed = [line[STAMP:] for line in streaming.lines]
    assert [line for line in printed if line.startswith("line ")] == [
        f"line {number}" for number in range(_LINES)
    ]
