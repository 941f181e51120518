"""The schedules of an installation: one reconciler per server."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
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
    ScheduleUpdate,
)
from temporalio.service import RPCError

from aweigh.core.errors import Unavailable
from aweigh.store.database import Store
from aweigh.store.tables import ServerRow
from workflows.names import CONTROL_QUEUE, reconcile_schedule
from workflows.reconcile import ReconcileRequest, ReconcileWorkflow

EVERY: Final = timedelta(minutes=5)
#: Longer than its steps may take together: a stuck run must not block all later ones.
_LONGEST: Final = timedelta(minutes=40)
_LOOK_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


async def keep_scheduled(client: Client, store: Store) -> None:
    """Schedule the reconciliation of every server, including ones that are added later."""
    scheduled: set[str] = set()
    while True:
        try:
            for name in await _servers(store) - scheduled:
                await _ensure(client, name)
                scheduled.add(name)
        except (Unavailable, RPCError) as error:
            _log.warning("servers cannot be scheduled; trying again", error=str(error))
        await asyncio.sleep(_LOOK_SECONDS)


async def _servers(store: Store) -> set[str]:
    async with store.read() as tx:
        return set(await tx.session.scalars(select(ServerRow.name)))


async def _ensure(client: Client, server: str) -> None:
    """Create the schedule, or update the one that an earlier version created."""
    schedule = _schedule(server)
    try:
        await client.create_schedule(reconcile_schedule(server), schedule)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(reconcile_schedule(server))
        await handle.update(lambda _: ScheduleUpdate(schedule=schedule))


def _schedule(server: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReconcileWorkflow.run,
            ReconcileRequest(server),
            id=f"reconcile/{server}",
            task_queue=CONTROL_QUEUE,
            static_summary=f"reconcile {server}",
            execution_timeout=_LONGEST,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
