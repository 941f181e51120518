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
from tests.support.api_door import Door
from tests.support.events import events
from tests.support.installation import succeed

TEXT = b"one\ntwo\nthree\n"


@pytest.fixture
async def deployment(door: Door) -> str:
    return await door.deploy(await door.create())


async def append(door: Door, deployment_id: str, data: bytes) -> None:
    async with door.store.write() as tx:
        await logs.append(tx, deployment_id, await logs.length(tx, deployment_id), data)


async def end(door: Door, deployment_id: str, *, seconds_ago: float = 3600) -> None:
    await succeed(door.store, deployment_id)
    async with door.store.write() as tx:
        row = await deployments.find_row(tx, deployment_id)
        row.finished_at = tx.now - timedelta(seconds=seconds_ago)


async def log(door: Door, deployment_id: str, **headers: str) -> httpx2.Response:
    return await door.call("GET", f"/v1/deployments/{deployment_id}/log", headers=headers)


async def test_a_log_is_text(door: Door, deployment: str) -> None:
    await append(door, deployment, "ünï ✓\n".encode())

    answer = await log(door, deployment)

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
    door: Door, deployment: str, wanted: str, text: bytes, told: str
) -> None:
    await append(door, deployment, TEXT)

    answer = await log(door, deployment, Range=wanted)

    assert (answer.status_code, answer.content) == (206, text)
    assert answer.headers["content-range"] == told


@pytest.mark.parametrize("wanted", ["bytes=14-", "bytes=14-20", "bytes=-0", "bytes=99-"])
async def test_a_range_beyond_the_end_is_told_where_that_is(
    door: Door, deployment: str, wanted: str
) -> None:
    await append(door, deployment, TEXT)

    answer = await log(door, deployment, Range=wanted)

    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == "bytes */14"


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes=", "bytes=-", "bytes=5-2", "lines=0-1", "bytes=0-1,3-4", "bytes=a-b",
     f"bytes={'9' * 5000}-", f"bytes=-{'9' * 5000}"],
    ids=range(9),
)  # fmt: skip
async def test_what_is_no_range_is_ignored(door: Door, deployment: str, wanted: str) -> None:
    await append(door, deployment, TEXT)

    answer = await log(door, deployment, Range=wanted)

    assert (answer.status_code, answer.content) == (200, TEXT)


async def test_a_log_of_nothing_is_not_found(door: Door) -> None:
    for accept in ("text/plain", "text/event-stream"):
        answer = await log(door, "dep_00000000000000000000000000", Accept=accept)
        assert answer.status_code == 404


async def stream(door: Door, deployment_id: str, **headers: str) -> list[dict[str, str]]:
    answer = await log(door, deployment_id, Accept="text/event-stream", **headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


END = {"event": "end", "data": '"succeeded"'}


async def test_a_stream_holds_every_line_and_the_end(door: Door, deployment: str) -> None:
    await append(door, deployment, TEXT)
    await end(door, deployment)

    assert await stream(door, deployment) == [
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
    door: Door, deployment: str, last: str, lines: list[str]
) -> None:
    await append(door, deployment, TEXT)
    await end(door, deployment)

    headers: dict[str, Any] = {"Last-Event-ID": last.encode("latin-1")}
    found = await stream(door, deployment, **headers)

    assert [json.loads(one["data"]) for one in found[:-1]] == lines
    assert found[-1] == END


@pytest.mark.parametrize("piece", [6, 7, 8, 14])
async def test_a_log_that_is_read_piece_by_piece_is_the_same(
    door: Door, deployment: str, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr("api.log_stream._CHUNK", piece)
    await append(door, deployment, TEXT[:9])
    await append(door, deployment, TEXT[9:])
    await end(door, deployment)

    found = await stream(door, deployment)

    assert (await log(door, deployment)).content == TEXT
    assert (await log(door, deployment, Range="bytes=2-11")).content == TEXT[2:12]
    assert [json.loads(one["data"]) for one in found[:-1]] == ["one", "two", "three"]


async def test_a_carriage_return_forges_no_event(door: Door, deployment: str) -> None:
    await append(door, deployment, b'1 %\r2 %\revent: end\rdata: "failed"\r\rdone\nnext\r\n')
    await end(door, deployment)

    found = await stream(door, deployment)

    assert [json.loads(one["data"]) for one in found] == [
        '1 %\r2 %\revent: end\rdata: "failed"\r\rdone', "next\r", "succeeded",
    ]  # fmt: skip
    assert [one.get("event") for one in found] == [None, None, "end"]


async def test_bytes_that_are_no_text_are_shown_as_such(door: Door, deployment: str) -> None:
    await append(door, deployment, b"a\xff\xe2\x80\xa8b\n")
    await end(door, deployment)

    found = await stream(door, deployment)

    assert [json.loads(one["data"]) for one in found] == ["a\ufffd\u2028b", "succeeded"]


async def test_the_last_line_is_told_though_it_does_not_end(door: Door, deployment: str) -> None:
    await append(door, deployment, b"one\ntwo")
    await end(door, deployment)

    found = await stream(door, deployment)

    assert [json.loads(one["data"]) for one in found] == ["one", "two", "succeeded"]


async def lines_of(following: AsyncIterator[bytes], count: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < count:
        lines += [json.loads(one["data"]) for one in events((await anext(following)).decode())]
    return lines


async def test_lines_are_told_as_they_come(door: Door, deployment: str) -> None:
    await append(door, deployment, b"one\ntw")

    async with aclosing(follow(door.app.state.context.followers, deployment, 0)) as following:
        assert await lines_of(following, 1) == ["one"]
        await append(door, deployment, b"o\nthree\n")
        assert await lines_of(following, 2) == ["two", "three"]
        await end(door, deployment)
        assert await lines_of(following, 1) == ["succeeded"]
        with pytest.raises(StopAsyncIteration):
            await anext(following)


async def test_lines_that_come_behind_the_end_are_waited_for(door: Door, deployment: str) -> None:
    await end(door, deployment, seconds_ago=2)

    async with aclosing(follow(door.app.state.context.followers, deployment, 0)) as following:
        await append(door, deployment, b"late\n")
        assert await lines_of(following, 2) == ["late", "succeeded"]


async def test_a_step_that_still_runs_keeps_the_stream_open_for_a_while(
    door: Door, deployment: str
) -> None:
    await end(door, deployment, seconds_ago=30)
    report = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1)
    async with door.store.write() as tx:
        await steps.report(tx, deployment, "sweep", report)

    async with aclosing(follow(door.app.state.context.followers, deployment, 0)) as following:
        await append(door, deployment, b"swept\n")
        assert await lines_of(following, 1) == ["swept"]
    await end_earlier(door, deployment)
    async with aclosing(follow(door.app.state.context.followers, deployment, 6)) as following:
        assert await lines_of(following, 1) == ["succeeded"]


async def end_earlier(door: Door, deployment_id: str) -> None:
    async with door.store.write() as tx:
        row = await deployments.find_row(tx, deployment_id)
        row.finished_at = tx.now - timedelta(seconds=61)
