"""`python -m tests.support.histories STORY…`: record histories that a changed workflow must replay.

Only needed when a change is meant to alter what running workflows do, behind
`workflow.patched()`: then record under new names, beside the old files, never instead of them.
Only the files of the named stories are written.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    GenerationGone,
    ImageGone,
)
from aweigh.notifications.delivery import NotDelivered
from tests.support.stage import Stage, Theatre, start_temporal, theatre

DIRECTORY = Path(__file__).parents[1] / "workflows" / "histories"


async def _succeeded(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return {"succeeded": stage.deployment(1), "lane": stage.lane()}


async def _built(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.builds = True
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return {"built": stage.deployment(1)}


async def _reported(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.builds = stage.world.reports_commit_status = True
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return {"commit-status": stage.deployment(1)}


async def _failed(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.user_fault("health", Reason.UNHEALTHY)
    stage.world.world_fault("pull", Reason.ENGINE_UNAVAILABLE)
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return {"failed": stage.deployment(1)}


async def _superseded(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    await stage.submit(stage.turn(2))
    await stage.ended(1, 2)
    await stage.lane_ended()
    return {
        "superseded": stage.deployment(1),
        "superseding": stage.deployment(2),
        "lane-superseding": stage.lane(),
    }


async def _cancelled(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.hold("create")
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "create"].wait()
    await stage.deployment(1).cancel()
    await stage.ended(1)
    await stage.lane_ended()
    return {"cancelled": stage.deployment(1)}


async def _live_after_all(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.loses_switch_result = True
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return {"live-after-all": stage.deployment(1)}


async def _gone_back(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.user_fault("create", ImageGone.kind)
    stage.world.user_fault("switch", GenerationGone.kind)
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    return {"gone-back": stage.deployment(1)}


async def _reset(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.user_fault("health", Reason.UNHEALTHY)
    await stage.submit(stage.turn(1))
    await stage.ended(1)
    await stage.lane_ended()
    await stage.reset(1)
    await stage.ended_as(1, "succeeded")
    return {"reset": stage.deployment(1)}


async def _in_progress(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.world.hold("health")
    await stage.submit(stage.turn(1))
    await stage.world.reached["", "health"].wait()
    return {"in-progress": stage.deployment(1), "lane-in-progress": stage.lane()}


async def _removed(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    turn = stage.turn(1, removal=True)
    await stage.submit(turn)
    await stage.lane_ended()
    return {"removal": stage.client.get_workflow_handle(turn.workflow_id)}


async def _notified(stage: Stage) -> dict[str, WorkflowHandle[Any, Any]]:
    stage.courier.ends[f"{stage.name}.1"] = [
        NotDelivered("the receiver answered 500", timedelta(milliseconds=10)), "delivered: 204",
    ]  # fmt: skip
    delivered = await stage.notify(stage.notification(1))
    await delivered.result()
    stage.courier.ends[f"{stage.name}.2"] = [NotDelivered("the receiver answered 410")]
    given_up = await stage.notify(stage.notification(2))
    stage.courier.ends[f"{stage.name}.3"] = [NotDelivered("no answer", timedelta(hours=1))]
    cancelled = await stage.notify(stage.notification(3))
    await stage.courier.reached[f"{stage.name}.3"].wait()
    await cancelled.cancel()
    for ended in (given_up, cancelled):
        with suppress(WorkflowFailureError):
            await ended.result()
    return {
        "notification-delivered": delivered,
        "notification-given-up": given_up,
        "notification-cancelled": cancelled,
    }


Story = Callable[[Stage], Awaitable[dict[str, WorkflowHandle[Any, Any]]]]

STORIES: dict[str, Story] = {
    story.__name__.removeprefix("_").replace("_", "-"): story
    for story in (
        _succeeded, _built, _reported, _failed, _superseded, _cancelled, _live_after_all,
        _gone_back, _reset, _in_progress, _removed, _notified,
    )
}  # fmt: skip


def _without_traces(value: Any) -> Any:
    """Stack traces name the machine they were recorded on, and play no part in a replay."""
    if isinstance(value, dict):
        return {
            key: "" if key == "stackTrace" else _without_traces(one) for key, one in value.items()
        }
    return [_without_traces(one) for one in value] if isinstance(value, list) else value


async def record(house: Theatre, stories: Iterable[Story], directory: Path = DIRECTORY) -> None:
    """Play the stories and write down what Temporal remembers of them."""
    for story in stories:
        async with house.stage() as stage:
            for name, handle in (await story(stage)).items():
                history = await handle.fetch_history()
                plain = _without_traces(json.loads(history.to_json()))
                (directory / f"{name}.json").write_text(json.dumps(plain, indent=1) + "\n")
            await stage.let_everything_go()


async def _record_on_temporal(names: Iterable[str]) -> None:
    async with await start_temporal() as started, theatre(started.client) as house:
        await record(house, [STORIES[name] for name in names])


def main() -> None:
    parser = argparse.ArgumentParser(description="Record the histories of stories.")
    parser.add_argument("stories", metavar="STORY", nargs="+", choices=STORIES,
                        help=f"one of: {', '.join(STORIES)}")  # fmt: skip
    asyncio.run(_record_on_temporal(parser.parse_args().stories))


if __name__ == "__main__":
    main()
