"""The relay: the only part of the API that starts workflows, from the rows of the outbox."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from aweigh.core.errors import AweighError
from aweigh.deployments.deployment import DeploymentState, Reason
from aweigh.deployments.workflow_ids import deployment_workflow_id, lane_id
from aweigh.secrets.error_text import said_by
from aweigh.store import deployments, lanes, lifecycle, outbox, removals
from aweigh.store.database import Store
from aweigh.store.tables import OutboxRow
from workflows import names, policies
from workflows.lane import ApplicationLane, LaneInput, Submission

#: Rows are polled, too: a hand-over may have to be repeated, and another API process may have ended
#: before it handed over what it had written.
_POLL_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 5.0
_PATIENCE: Final = timedelta(seconds=5)
#: Readiness probes usually wait a second.
_PROBE_SECONDS: Final = 0.5
_AT_ONCE: Final = 50
#: Concurrent hand-overs, and how long each gives way to calls.
_CONCURRENT: Final = 4
_GIVE_WAY_SECONDS: Final = 0.2
#: Deployments handed over without a record so far, and the pause once there are so many.
_IN_TRANSIT: Final = 8
#: The same while calls arrive ten times a second or faster: the work that follows a hand-over would
#: take the processor from them.
_IN_TRANSIT_WHILE_CALLED: Final = 2
_CALLED_SECONDS: Final = 0.1
_IN_TRANSIT_SECONDS: Final = 0.1
_LONGEST_ERROR: Final = 500

_log = structlog.get_logger(__name__)


class Relay:
    """Hands every due outbox row over to Temporal until a record closes it."""

    def __init__(self, store: Store, connect: Callable[[], Awaitable[Client]]) -> None:
        self._store = store
        self._connect = connect
        self._wake = asyncio.Event()
        self.connected = False
        self._error = ""
        self._concurrent = asyncio.Semaphore(_CONCURRENT)

    def wake(self) -> None:
        """Hand over now: a row was written."""
        self._wake.set()

    async def reaches_temporal(self) -> bool:
        """Whether Temporal answers now."""
        with contextlib.suppress(RPCError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_PROBE_SECONDS):
                client = await self._connect()
                return await client.service_client.check_health()
        return False

    async def run(self) -> None:
        while True:
            self._wake.clear()
            pause = _POLL_SECONDS
            try:
                pause = await self._hand_over_due()
            except (RPCError, RuntimeError, AweighError) as error:
                self._log_state(connected=False, error=said_by(error, masks=False))
            except Exception:  # noqa: BLE001 (every accepted deployment waits for this loop)
                _log.exception("the relay failed; it continues")
            if pause:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    def _log_state(self, *, connected: bool, error: str = "") -> None:
        """Log changes only: an outage may last for hours."""
        if (connected, error) != (self.connected, self._error):
            _log.log(20 if connected else 30, "temporal", connected=connected, error=error)
        self.connected, self._error = connected, error

    async def _hand_over_due(self) -> float:
        """Return the seconds until the next poll; 0 if more rows may be due."""
        async with self._store.read() as tx:
            unanswered = await outbox.unanswered(tx)
            called = self._store.was_called(_CALLED_SECONDS)
            places = (_IN_TRANSIT_WHILE_CALLED if called else _IN_TRANSIT) - unanswered
            due = await outbox.due(tx, _AT_ONCE, fresh=places > 0)
            superseded = await lanes.superseded(tx, due)
        rows = _within(places, [row for row in due if row.subject not in superseded])
        if rows or superseded:
            await self._hand_over_all(rows, superseded)
        if places <= 0:
            await asyncio.sleep(_IN_TRANSIT_SECONDS)
            return 0.0
        if len(due) == _AT_ONCE or len(rows) < len(due) - len(superseded):
            return 0.0
        return _POLL_SECONDS if due or unanswered else _IDLE_SECONDS

    async def _hand_over_all(self, rows: list[OutboxRow], superseded: Mapping[str, str]) -> None:
        client = await self._connect()
        results = await asyncio.gather(
            *(self._hand_over_when_idle(client, row) for row in rows), return_exceptions=True
        )
        errors = {
            row.id: result
            for row, result in zip(rows, results, strict=True)
            if isinstance(result, BaseException)
        }
        async with self._store.write() as tx:
            await outbox.handed_over(tx, [row.id for row in rows if row.id not in errors])
            await outbox.postpone(tx, list(errors))
            if superseded:
                await lanes.supersede(tx, superseded)
        away = any(isinstance(error, RPCError) for error in errors.values())
        self._log_state(
            connected=not away,
            error="; ".join(said_by(error, masks=False) for error in errors.values())[
                :_LONGEST_ERROR
            ],
        )

    async def _hand_over_when_idle(self, client: Client, row: OutboxRow) -> None:
        """Hand over when no call waits: accepted deployments can wait, callers cannot."""
        async with self._concurrent:
            await self._store.give_way(_GIVE_WAY_SECONDS)
            await self._hand_over(client, row)

    async def _hand_over(self, client: Client, row: OutboxRow) -> None:
        if row.kind == outbox.CANCEL:
            await self._cancel(client, row.subject)
        elif slug := await self._lane_of(row):
            await client.start_workflow(
                ApplicationLane.run,
                LaneInput(),
                id=lane_id(slug),
                task_queue=names.CONTROL_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="submit",
                start_signal_args=[Submission("" if row.kind == outbox.REMOVE else row.subject)],
                static_summary=f"the lane of {slug}",
                priority=policies.share_of(slug),
                rpc_timeout=_PATIENCE,
            )

    async def _lane_of(self, row: OutboxRow) -> str | None:
        """Return the slug of the lane to signal; None if the deployment has ended."""
        async with self._store.read() as tx:
            if row.kind == outbox.REMOVE:
                return await removals.lane_of(tx, row.subject)
            return await deployments.lane_of(tx, row.subject)

    async def _cancel(self, client: Client, deployment_id: str) -> None:
        async with self._store.read() as tx:
            found = await deployments.find(tx, deployment_id)
        slug, sequence = found.application.slug, found.row.sequence
        handle = client.get_workflow_handle(deployment_workflow_id(slug, sequence, deployment_id))
        try:
            await handle.cancel(rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            # Temporal runs no such workflow: nothing of the deployment exists on a server.
            async with self._store.write() as tx:
                row = await deployments.find_row(tx, deployment_id, lock=True)
                if row.state == DeploymentState.CREATED:
                    message = "The deployment was cancelled before its workflow started."
                    await lifecycle.failed(tx, deployment_id, Reason.CANCELLED, message)


def _within(places: int, rows: list[OutboxRow]) -> list[OutboxRow]:
    """Return the rows of deployments handed over before, and as many new ones as fit."""
    taken = []
    for row in rows:
        if outbox.is_fresh(row):
            places -= 1
            if places < 0:
                continue
        taken.append(row)
    return taken
