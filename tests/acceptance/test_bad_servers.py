"""A server that cannot take a deployment: its disk is full, or its worker is away."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.support.faulty_proxy import Fault
from tests.support.outside import picture, swept, until
from tests.support.second_server import second_server
from tests.support.stack import Stack
from tests.support.world import World, assert_says

pytestmark = pytest.mark.docker


async def test_a_disk_that_is_too_full_is_said_before_anything_is_pulled(
    world: World, stack: Stack, tmp_path: Path
) -> None:
    world.push("bulky", "v1")
    proxy = world.faulty[Fault.NONE]
    asked = len(proxy.requests)
    source = {"type": "image", "image": f"{proxy.host}/bulky", "tag": "v1"}
    reserve = str(10**15)
    async with second_server(stack, tmp_path, "full", AWEIGH_DISK_RESERVE_BYTES=reserve):
        app = await stack.create("bulky", source, server="full")
        failed = (await stack.deploy(app)).json()["deployment"]

    assert_says(failed, "disk_full", "931322.6 GiB must stay free", "Free some space, then retry")
    assert re.search(r"needs disk space: [0-9.]+ GiB of [0-9.]+ GiB are free", failed["message"])
    assert [one["name"] for one in failed["steps"]] == ["preflight"]
    assert proxy.requests[asked:] == []


async def test_a_server_whose_worker_is_down_is_offline_after_a_minute(world: World) -> None:
    stack = world.stack
    app = await world.live("offline")
    [first] = (await stack.call("GET", f"/v1/deployments?application={app['id']}")).json()["items"]
    await swept(stack, first["id"])
    before = await picture(world.engine, stack, app)
    pids = stack.pids()
    os.kill(pids["up"], signal.SIGSTOP)  # it would start the worker again
    try:
        os.kill(pids["server"], signal.SIGKILL)
        began = time.monotonic()
        answer = await stack.deploy(app, wait=600)
        seconds = time.monotonic() - began
    finally:
        os.kill(pids["up"], signal.SIGCONT)

    assert answer.status_code == 424, answer.text
    failed = answer.json()["deployment"]
    assert_says(failed, "server_offline", "server worker of local", "Start it, or wait, then retry")
    assert seconds > 55
    assert await picture(world.engine, stack, app) == before
    await until(lambda: back(stack, pids["server"]))
    answer = await stack.deploy(app)
    assert answer.status_code == 200, answer.text


async def back(stack: Stack, dead: int) -> bool:
    serving = (stack.data / "server" / "serving").read_text()
    return serving not in ("", str(dead)) and int(serving) == stack.pids().get("server")
