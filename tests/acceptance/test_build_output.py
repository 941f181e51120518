"""What builds print: text and nothing else, each line once, and not without end."""

import json
import time

import pytest

from tests.support import hostile
from tests.support.building import STAMP, Builds, printed
from tests.support.events import events

pytestmark = pytest.mark.docker


async def test_forged_events_and_control_characters_are_text(builds: Builds) -> None:
    expected = [line for shown in hostile.FORGERIES.values() for line in shown]

    deployment = await builds.ended(await builds.runs("forges", hostile.FORGER))

    lines = await printed(builds.stack, deployment["id"])
    begun = lines.index("before")
    ended = lines.index("the end")
    assert lines[begun:ended] == [*expected, "\ufffd\ufffd no text"]
    streamed = await builds.stack.call(
        "GET", f"/v1/deployments/{deployment['id']}/log", headers={"Accept": "text/event-stream"}
    )
    found = events(streamed.text)
    assert found[-1] == {"event": "end", "data": '"succeeded"'}
    assert [json.loads(one["data"])[STAMP:] for one in found[:-1]] == lines
    assert all(one.keys() == {"id", "data"} for one in found[:-1])


@pytest.mark.long
async def test_every_line_of_many_is_there_in_order(builds: Builds) -> None:
    count = 400_000
    script = f"for number in range({count}): print(f'{{number:06}}', 'y' * 93)"
    began = time.monotonic()

    deployment = await builds.ended(await builds.runs("many-lines", script))

    print(f"{count} lines built and shown in {time.monotonic() - began:.1f} s")  # noqa: T201
    lines = await printed(builds.stack, deployment["id"])
    numbers = [line[:6] for line in lines if line.endswith("y" * 93)]
    assert numbers == [f"{number:06}" for number in range(count)]
