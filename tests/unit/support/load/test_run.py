from __future__ import annotations

import asyncio

import pytest

from tests.support.load import Flow, Load, Run, mixed_flows, running
from tests.unit.conftest import StartApplication
from tests.unit.support.load.conftest import Reader, Serve, Writer

ANSWER = b"HTTP/1.1 200 OK\r\nX-Name: demo\r\nX-Version: v1\r\nContent-Length: 5\r\n\r\nhello"


async def test_a_healthy_application_loses_nothing(start_application: StartApplication) -> None:
    demo = await start_application(VERSION="v1")
    flows = (*mixed_flows(100), Flow(name="stream", rate=5, path="/stream?seconds=0.2"))
    load = Load(url=demo.url, flows=flows, name="demo", versions=frozenset({"v1"}))

    async with running(load) as run:
        await run.until(lambda: run.answered >= 200)

    report = run.report()
    assert report.failures == ()
    assert report.kinds == {"ok": report.sent}
    assert report.versions == {"v1": report.sent}
    assert report.latencies.keys() == {"get", "get-close", "post", "slow", "stream"}
    assert report.latencies["slow"].p50 >= 5


async def test_closing_an_idle_connection_loses_nothing(serve: Serve) -> None:
    connections = 0

    async def answer_and_close(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)

    load = Load(url=await serve(answer_and_close), flows=(Flow(name="get", rate=100),))

    async with running(load) as run:
        await run.until(lambda: run.answered >= 50)

    assert run.failed == 0
    assert connections == run.sent


async def test_a_graceful_stop_between_two_requests_loses_nothing(
    start_application: StartApplication,
) -> None:
    demo = await start_application()
    flow = Flow(name="get", rate=0.01)

    async with running(Load(url=demo.url, flows=(flow,))) as run:
        await run.until(lambda: run.answered == 1)
        demo.process.terminate()
        assert await demo.process.wait() == 0

    assert run.report().kinds == {"ok": 1}


async def test_a_connection_is_kept_alive(serve: Serve) -> None:
    connections = 0

    async def answer(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)

    load = Load(url=await serve(answer), flows=(Flow(name="get", rate=100),))

    async with running(load) as run:
        await run.until(lambda: run.answered >= 200)

    assert run.failed == 0
    assert connections < run.sent / 2


async def test_the_schedule_does_not_wait_for_answers_and_latency_counts_from_it(
    serve: Serve,
) -> None:
    waiting = 0
    enough_wait = asyncio.Event()

    async def answer_none_until_25_wait(reader: Reader, writer: Writer) -> None:
        nonlocal waiting
        await reader.readuntil(b"\r\n\r\n")
        waiting += 1
        if waiting == 25:
            enough_wait.set()
        await enough_wait.wait()
        writer.write(ANSWER)

    load = Load(url=await serve(answer_none_until_25_wait), flows=(Flow(name="get", rate=100),))

    async with running(load) as run:
        await run.until(lambda: run.answered >= 25)

    assert run.failed == 0
    assert run.report().latencies["get"].maximum >= 0.24


async def test_requests_in_flight_at_the_end_are_waited_for(
    start_application: StartApplication,
) -> None:
    demo = await start_application()
    flow = Flow(name="slow", rate=50, path="/slow?seconds=0.5")

    async with running(Load(url=demo.url, flows=(flow,))) as run:
        await run.until(lambda: run.answered >= 1 and run.in_flight > 10)

    assert run.in_flight == 0
    assert run.answered == run.sent


async def test_a_block_that_fails_does_not_wait_for_requests_in_flight(
    start_application: StartApplication,
) -> None:
    demo = await start_application()
    flows = (Flow(name="slow", rate=50, path="/slow?seconds=60"), Flow(name="get", rate=50))
    runs: list[Run] = []

    async def fail_under_load() -> None:
        async with running(Load(url=demo.url, flows=flows)) as run:
            runs.append(run)
            await run.until(lambda: run.answered >= 10)
            raise LookupError

    with pytest.raises(LookupError):
        await fail_under_load()

    assert runs[0].answered < runs[0].sent
    assert runs[0].failed == 0


async def test_versions_can_be_allowed_and_forbidden_while_it_runs(
    start_application: StartApplication,
) -> None:
    demo = await start_application(VERSION="v2")
    flow = Flow(name="get", rate=100)

    async with running(Load(url=demo.url, flows=(flow,), versions=frozenset({"v1"}))) as run:
        await run.until(lambda: run.failed >= 5)
        run.allow("v2")
        failed, answered = run.failed, run.answered
        await run.until(lambda: run.answered >= answered + 5)
        run.forbid("v2")
        good = run.answered - answered
        assert run.failed == failed
        await run.until(lambda: run.failed >= failed + 5)

    report = run.report()
    assert report.kinds == {"ok": good, "uncommitted": report.sent - good}


async def test_a_predicate_is_asked_when_the_answer_came(
    start_application: StartApplication,
) -> None:
    demo = await start_application(VERSION="v2")
    committed: set[str] = set()
    load = Load(url=demo.url, flows=(Flow(name="get", rate=100),), accept=committed.__contains__)

    async with running(load) as run:
        await run.until(lambda: run.failed >= 3)
        committed.add("v2")
        failed, answered = run.failed, run.answered
        await run.until(lambda: run.answered >= answered + 3)

    assert run.report().kinds == {"uncommitted": failed, "ok": run.sent - failed}


async def test_the_version_of_another_application_is_not_counted(
    start_application: StartApplication,
) -> None:
    shop = await start_application(NAME="shop", VERSION="v1")

    async with running(Load(url=shop.url, flows=(Flow(name="get", rate=100),), name="demo")) as run:
        await run.until(lambda: run.failed >= 3)

    assert run.report().versions == {}
