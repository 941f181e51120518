"""The schedules of an installation: one reconciler per server."""

from datetime import timedelta
from typing import Final

from sqlalchemy import select
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from aweigh.store.database import Store
from aweigh.store.tables import ServerRow
from workflows.names import CONTROL_QUEUE, reconcile_schedule
from workflows.reconcile import ReconcileOrder, ReconcileWorkflow

EVERY: Final = timedelta(minutes=5)


async def schedule_reconcilers(client: Client, store: Store) -> None:
    """Have every server reconciled every five minutes; one that is scheduled stays as it is."""
    async with store.read() as tx:
        names = list(await tx.session.scalars(select(ServerRow.name)))
    for name in names:
        try:
            await client.create_schedule(reconcile_schedule(name), _schedule(name))
        except ScheduleAlreadyRunningError:
            continue


def _schedule(server: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReconcileWorkflow.run,
            ReconcileOrder(server),
            id=f"reconcile/{server}",
            task_queue=CONTROL_QUEUE,
            static_summary=f"reconcile {server}",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
