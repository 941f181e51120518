"""The schedules of an installation: for each server a reconciler, and the pruning of histories."""

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
from workflows.names import CONTROL_QUEUE, prune_schedule, reconcile_schedule
from workflows.prune import PruneRequest, PruneWorkflow
from workflows.reconcile import ReconcileRequest, ReconcileWorkflow

RECONCILE_EVERY: Final = timedelta(minutes=5)
PRUNE_EVERY: Final = timedelta(hours=1)
#: Longer than its steps may take together: a stuck run must not block all later ones.
_LONGEST: Final = timedelta(minutes=40)
_LOOK_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


async def keep_scheduled(client: Client, store: Store) -> None:
    """Schedule reconciliation and pruning for every server, including ones that are added later."""
    scheduled: set[str] = set()
    while True:
        try:
            for name in await _servers(store) - scheduled:
                await ensure_scheduled(client, name)
                scheduled.add(name)
        except (Unavailable, RPCError) as error:
            _log.warning("servers cannot be scheduled; trying again", error=str(error))
        await asyncio.sleep(_LOOK_SECONDS)


async def _servers(store: Store) -> set[str]:
    async with store.read() as tx:
        return set(await tx.session.scalars(select(ServerRow.name)))


async def ensure_scheduled(client: Client, server: str) -> None:
    await _schedule(client, reconcile_schedule(server), _reconciliation(server))
    await _schedule(client, prune_schedule(server), _pruning(server))


async def _schedule(client: Client, name: str, schedule: Schedule) -> None:
    """Create the schedule, or update the one that an earlier version created."""
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(name)
        await handle.update(lambda _: ScheduleUpdate(schedule=schedule))


def _reconciliation(server: str) -> Schedule:
    action = ScheduleActionStartWorkflow(
        ReconcileWorkflow.run,
        ReconcileRequest(server),
        id=f"reconcile/{server}",
        task_queue=CONTROL_QUEUE,
        static_summary=f"reconcile {server}",
        execution_timeout=_LONGEST,
    )
    return _every(RECONCILE_EVERY, action)


def _pruning(server: str) -> Schedule:
    action = ScheduleActionStartWorkflow(
        PruneWorkflow.run,
        PruneRequest(server),
        id=f"prune/{server}",
        task_queue=CONTROL_QUEUE,
        static_summary=f"prune the histories of {server}",
        execution_timeout=_LONGEST,
    )
    return _every(PRUNE_EVERY, action)


def _every(interval: timedelta, action: ScheduleActionStartWorkflow) -> Schedule:
    """Skip a run while the one before it goes on."""
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
