"""Where a deployment's time went, as Temporal's history of it tells."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

#: What comes after it is nobody's waiting: the deployment has succeeded.
LAST = "record_succeeded"


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One activity; the times are Temporal's, in seconds of the epoch."""

    name: str
    scheduled: float
    started: float
    completed: float

    @property
    def run(self) -> float:
        return self.completed - self.started


async def activities_of(client: Client, workflow_id: str) -> Sequence[Activity]:
    """The activities up to the record of success, in their order; the workflow has ended."""
    handle = client.get_workflow_handle(workflow_id)
    await handle.result()
    events = (await handle.fetch_history()).events
    scheduled = {
        event.event_id: event
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    found = []
    for event in events:
        if event.HasField("activity_task_completed_event_attributes"):
            ended = event.activity_task_completed_event_attributes
            began = scheduled[ended.scheduled_event_id]
            found.append(
                Activity(
                    name=began.activity_task_scheduled_event_attributes.activity_id,
                    scheduled=_time(began),
                    started=_time(events[ended.started_event_id - 1]),
                    completed=_time(event),
                )
            )
    names = [activity.name for activity in found]
    return found[: names.index(LAST) + 1]


def _time(event: HistoryEvent) -> float:
    return event.event_time.ToNanoseconds() / 1e9
