"""A release command that does not end is ended, and said to have taken too long."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.exceptions import ActivityError, RetryState, TimeoutError, TimeoutType

from aweigh.containers.release_command import ReleaseCommand
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container import Container
from workflows.failure import failure_of


def running(for_minutes: int) -> Container:
    begun = (datetime.now(UTC) - timedelta(minutes=for_minutes)).isoformat()
    return Container(
        id="1", name="job", labels={}, image_id="2", status="running", started_at=begun
    )


class Waiting:
    """An engine with one container, which runs."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def container(self, name: str) -> Container:
        return self._container

    async def ended(self, name: str) -> Container:
        await asyncio.Event().wait()
        return self._container

    async def last_lines(self, name: str, count: int) -> str:
        return "migrating"


async def test_one_that_ran_too_long_unwatched_is_not_waited_for() -> None:
    logged: list[str] = []
    engine, unused = Waiting(running(for_minutes=56)), SimpleNamespace()
    step: Any = SimpleNamespace(log=logged.append)
    parts: list[Any] = [unused, engine, unused, unused, unused]

    with pytest.raises(StepFailed, match="limit of 55 min") as failure:
        await ReleaseCommand(*parts)._end_of("job", step)

    assert failure.value.reason is Reason.TIMED_OUT
    assert logged == ["migrating"]


@pytest.mark.parametrize(
    ("kind", "before", "reason"),
    [
        (TimeoutType.START_TO_CLOSE, None, Reason.TIMED_OUT),
        (TimeoutType.SCHEDULE_TO_CLOSE, TimeoutType.START_TO_CLOSE, Reason.TIMED_OUT),
        (TimeoutType.SCHEDULE_TO_CLOSE, TimeoutType.HEARTBEAT, Reason.SERVER_OFFLINE),
        (TimeoutType.SCHEDULE_TO_START, None, Reason.SERVER_OFFLINE),
    ],
)
def test_a_step_that_took_too_long_again_and_again_is_no_server_that_is_away(
    kind: TimeoutType, before: TimeoutType | None, reason: Reason
) -> None:
    last = TimeoutError("timeout", type=kind, last_heartbeat_details=[])
    if before:
        last.__cause__ = TimeoutError("timeout", type=before, last_heartbeat_details=[])
    error = ActivityError(
        "failed", scheduled_event_id=1, started_event_id=2, identity="", activity_type="release",
        activity_id="release", retry_state=RetryState.TIMEOUT,
    )  # fmt: skip
    error.__cause__ = last

    assert failure_of(error, "local", None).reason is reason
