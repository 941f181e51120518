"""The log of a deployment: text with ranges, and events that can be resumed."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api.log_stream import follow
from aweigh.contract import StepReport
from aweigh.deployments.deployment import StepState
from aweigh.store import deployments, logs, steps
from tests.support.api_caller import Caller
from tests.support.events import events
from tests.support.installation import succeed

TEXT = b"one\ntwo\nthree\n"


@pytest.fixture
async def deployment(caller: Caller) -> str:
    return await caller.deploy(await caller.create())


async def append(caller: Caller, deployment_id: str, data: bytes) -> None:
    async with caller.store.write() as tx:
        await logs.append(tx, deployment_id, await logs.length(tx, deployment_id), data)


async def end(caller: Caller, deployment_id: str, *, seconds_ago: float = 3600) -> None:
    await succeed(caller.store, deployment_id)
    async with caller.store.write() as tx:
        row = await deployments.find_row(tx, deployment_id)
        row.finished_at = tx.now - timedelta(seconds=seconds_ago)


async def log(caller: Caller, deployment_id: str, **headers: str) -> httpx2.Response:
    return await caller.call("GET", f"/v1/deployments/{deployment_id}/log", headers=headers)


async def test_a_log_is_text(caller: Caller, deployment: str) -> None:
    await append(caller, deployment, "ünï ✓\n".encode())

    answer = await log(caller, deployment)

    assert (answer.status_code, answer.text) == (200, "ünï ✓\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "text", "told"),
    [
        ("bytes=0-3", b"one\n", "bytes 0-3/14"),
        ("bytes=4-", b"two\nthree\n", "bytes 4-13/14"),
        ("bytes=4-999", b"two\nthree\n", "bytes 4-13/14"),
        ("bytes=-6", b"three\n", "bytes 8-13/14"),
        ("bytes=-99", TEXT, "bytes 0-13/14"),
        ("bytes=13-13", b"\n", "bytes 13-13/14"),
        ("bytes=0-0", b"o", "bytes 0-0/14"),
    ],
)
async def test_a_range_is_a_part(
    caller: Caller, deployment: str, wanted: str, text: bytes, told: str
) -> None:
    await append(caller, deployment, TEXT)

    answer = await log(caller, deployment, Range=wanted)

    assert (answer.status_code, answer.content) == (206, text)
    assert answer.headers["content-range"] == told


@pytest.mark.parametrize("wanted", ["bytes=14-", "bytes=14-20", "bytes=-0", "bytes=99-"])
async def test_a_range_beyond_the_end_is_told_where_that_is(
    caller: Caller, deployment: str, wanted: str
) -> None:
    await append(caller, deployment, TEXT)

    answer = await log(caller, deployment, Range=wanted)

    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == "bytes */14"


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes=", "bytes=-", "bytes=5-2", "lines=0-1", "bytes=0-1,3-4", "bytes=a-b",
     f"bytes={'9' * 5000}-", f"bytes=-{'9' * 5000}"],
    ids=range(9),
)  # fmt: skip
async def test_what_is_no_range_is_ignored(caller: Caller, deployment: str, wanted: str) -> None:
    await append(caller, deployment, TEXT)

    answer = await log(caller, deployment, Range=wanted)

    assert (answer.status_code, answer.content) == (200, TEXT)


async def test_a_log_of_nothing_is_not_found(caller: Caller) -> None:
    for accept in ("text/plain", "text/event-stream"):
        answer = await log(caller, "dep_00000000000000000000000000", Accept=accept)
        assert answer.status_code == 404


async def stream(caller: Caller, deployment_id: str, **headers: str) -> list[dict[str, str]]:
    answer = await log(caller, deployment_id, Accept="text/event-stream", **headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


END = {"event": "end", "data": '"succeeded"'}


async def test_a_stream_holds_every_line_and_the_end(caller: Caller, deployment: str) -> None:
    await append(caller, deployment, TEXT)
    await end(caller, deployment)

    assert await stream(caller, deployment) == [
        {"data": '"one"', "id": "4"},
        {"data": '"two"', "id": "8"},
        {"data": '"three"', "id": "14"},
        END,
    ]


@pytest.mark.parametrize(
    ("last", "lines"),
    [
        ("0", ["one", "two", "three"]),
        ("4", ["two", "three"]),
        ("8", ["three"]),
        ("14", []),
        ("99", []),
        ("", ["one", "two", "three"]),
        ("x", ["one", "two", "three"]),
        ("-1", ["one", "two", "three"]),
        ("²", ["one", "two", "three"]),
        ("9" * 5000, ["one", "two", "three"]),
    ],
    ids=range(10),
)
async def test_a_stream_goes_on_behind_the_last_event(
    caller: Caller, deployment: str, last: str, lines: list[str]
) -> None:
    await append(caller, deployment, TEXT)
    await end(caller, deployment)

    headers: dict[str, Any] = {"Last-Event-ID": last.encode("latin-1")}
    found = await stream(caller, deployment, **headers)

    assert [json.loads(one["data"]) for one in found[:-1]] == lines
    assert found[-1] == END


@pytest.mark.parametrize("piece", [6, 7, 8, 14])
async def test_a_log_that_is_read_piece_by_piece_is_the_same(
    caller: Caller, deployment: str, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr("api.log_stream._CHUNK", piece)
    await append(caller, deployment, TEXT[:9])
    await append(caller, deployment, TEXT[9:])
    await end(caller, deployment)

    found = await stream(caller, deployment)

    assert (await log(caller, deployment)).content == TEXT
    assert (await log(caller, deployment, Range="bytes=2-11")).content == TEXT[2:12]
    assert [json.loads(one["data"]) for one in found[:-1]] == ["one", "two", "three"]


async def test_a_carriage_return_forges_no_event(caller: Caller, deployment: str) -> None:
    await append(caller, deployment, b'1 %\r2 %\revent: end\rdata: "failed"\r\rdone\nnext\r\n')
    await end(caller, deployment)

    found = await stream(caller, deployment)

    assert [json.loads(one["data"]) for one in found] == [
        '1 %\r2 %\revent: end\rdata: "failed"\r\rdone', "next\r", "succeeded",
    ]  # fmt: skip
    assert [one.get("event") for one in found] == [None, None, "end"]


async def test_bytes_that_are_no_text_are_shown_as_such(caller: Caller, deployment: str) -> None:
    await append(caller, deployment, b"a\xff\xe2\x80\xa8b\n")
    await end(caller, deployment)

    found = await stream(caller, deployment)

    assert [json.loads(one["data"]) for one in found] == ["a\ufffd\u2028b", "succeeded"]


async def test_the_last_line_is_told_though_it_does_not_end(
    caller: Caller, deployment: str
) -> None:
    await append(caller, deployment, b"one\ntwo")
    await end(caller, deployment)

    found = await stream(caller, deployment)

    assert [json.loads(one["data"]) for one in found] == ["one", "two", "succeeded"]


async def lines_of(following: AsyncIterator[bytes], count: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < count:
        lines += [json.loads(one["data"]) for one in events((await anext(following)).decode())]
    return lines


async def test_lines_are_told_as_they_come(caller: Caller, deployment: str) -> None:
    await append(caller, deployment, b"one\ntw")

    async with aclosing(follow(caller.app.state.context.followers, deployment, 0)) as following:
        assert await lines_of(following, 1) == ["one"]
        await append(caller, deployment, b"o\nthree\n")
        assert await lines_of(following, 2) == ["two", "three"]
        await end(caller, deployment)
        assert await lines_of(following, 1) == ["succeeded"]
        with pytest.raises(StopAsyncIteration):
            await anext(following)


async def test_lines_that_come_behind_the_end_are_waited_for(
    caller: Caller, deployment: str
) -> None:
    await end(caller, deployment, seconds_ago=2)

    async with aclosing(follow(caller.app.state.context.followers, deployment, 0)) as following:
        await append(caller, deployment, b"late\n")
        assert await lines_of(following, 2) == ["late", "succeeded"]


async def test_a_step_that_still_runs_keeps_the_stream_open_for_a_while(
    caller: Caller, deployment: str
) -> None:
    await end(caller, deployment, seconds_ago=30)
    report = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1)
    async with caller.store.write() as tx:
        await steps.report(tx, deployment, "sweep", report)

    async with aclosing(follow(caller.app.state.context.followers, deployment, 0)) as following:
        await append(caller, deployment, b"swept\n")
        assert await lines_of(following, 1) == ["swept"]
    await end_earlier(caller, deployment)
    async with aclosing(follow(caller.app.state.context.followers, deployment, 6)) as following:
        assert await lines_of(following, 1) == ["succeeded"]


async def end_earlier(caller: Caller, deployment_id: str) -> None:
    async with caller.store.write() as tx:
        row = await deployments.find_row(tx, deployment_id)
        row.finished_at = tx.now - timedelta(seconds=61)
