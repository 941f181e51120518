"""The relay: alone in talking to Temporal, and the only way from the database to a workflow."""

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
from aweigh.store import deployments, lifecycle, outbox, overtaking
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, OutboxRow
from workflows import names, policies
from workflows.lane import ApplicationLane, LaneInput, Submission

#: Rows are also polled for: a hand-over may have to be repeated, and another API process may have
#: ended before it handed over what it had written.
_LOOK_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 5.0
_PATIENCE: Final = timedelta(seconds=5)
#: Whoever asks whether this process is ready waits a second, as a rule.
_PROBE_SECONDS: Final = 0.5
_AT_ONCE: Final = 50
#: Handed over side by side, and how long each lets calls go before it.
_FEW: Final = 4
_WAY_SECONDS: Final = 0.2
#: Deployments that may be on their way into their lanes, and how long to wait when they all are.
_PLACES: Final = 8
#: The same while calls come ten times a second or faster: all that follows a hand-over, on this
#: machine, would take the processor from them.
_PLACES_WHILE_CALLED: Final = 2
_CALLED_SECONDS: Final = 0.1
_PLACE_SECONDS: Final = 0.1
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
        self._few = asyncio.Semaphore(_FEW)

    def wake(self) -> None:
        """Something was written that wants handing over now."""
        self._wake.set()

    async def reaches_temporal(self) -> bool:
        """Whether Temporal answers now, whatever there is to hand over."""
        with contextlib.suppress(RPCError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_PROBE_SECONDS):
                client = await self._connect()
                return await client.service_client.check_health()
        return False

    async def run(self) -> None:
        while True:
            self._wake.clear()
            pause = _LOOK_SECONDS
            try:
                pause = await self._hand_over_due()
            except (RPCError, RuntimeError, AweighError) as error:
                self._say(connected=False, error=said_by(error, masks=False))
            except Exception:  # noqa: BLE001 (everything that was accepted waits for this loop)
                _log.exception("the relay goes on after an error")
            if pause:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    def _say(self, *, connected: bool, error: str = "") -> None:
        """Log what changed: an absence may last for hours."""
        if (connected, error) != (self.connected, self._error):
            _log.log(20 if connected else 30, "temporal", connected=connected, error=error)
        self.connected, self._error = connected, error

    async def _hand_over_due(self) -> float:
        """Seconds until it is worth looking again; none when there may be more."""
        async with self._store.read() as tx:
            unanswered = await outbox.unanswered(tx)
            called = self._store.was_called(_CALLED_SECONDS)
            places = (_PLACES_WHILE_CALLED if called else _PLACES) - unanswered
            due = await outbox.due(tx, _AT_ONCE, fresh=places > 0)
            overtaken = await overtaking.overtaken(tx, due)
        rows = _within(places, [row for row in due if row.subject not in overtaken])
        if rows or overtaken:
            await self._hand_over_all(rows, overtaken)
        if places <= 0:
            await asyncio.sleep(_PLACE_SECONDS)
            return 0.0
        if len(due) == _AT_ONCE or len(rows) < len(due) - len(overtaken):
            return 0.0
        return _LOOK_SECONDS if due or unanswered else _IDLE_SECONDS

    async def _hand_over_all(self, rows: list[OutboxRow], overtaken: Mapping[str, str]) -> None:
        client = await self._connect()
        results = await asyncio.gather(
            *(self._in_turn(client, row) for row in rows), return_exceptions=True
        )
        errors = {
            row.id: result
            for row, result in zip(rows, results, strict=True)
            if isinstance(result, BaseException)
        }
        async with self._store.write() as tx:
            await outbox.handed_over(tx, [row.id for row in rows if row.id not in errors])
            await outbox.postpone(tx, list(errors))
            if overtaken:
                await overtaking.record(tx, overtaken)
        away = any(isinstance(error, RPCError) for error in errors.values())
        self._say(
            connected=not away,
            error="; ".join(said_by(error, masks=False) for error in errors.values())[
                :_LONGEST_ERROR
            ],
        )

    async def _in_turn(self, client: Client, row: OutboxRow) -> None:
        """Few at a time, and when no call waits: what was taken can wait, whoever calls cannot."""
        async with self._few:
            await self._store.give_way(_WAY_SECONDS)
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
        """The slug of the application whose lane is told; None when there is nothing to tell."""
        async with self._store.read() as tx:
            if row.kind == outbox.REMOVE:
                return (await tx.session.get_one(ApplicationRow, row.subject)).slug
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
            # Temporal has no such workflow running: nothing of it exists that would have to go.
            async with self._store.write() as tx:
                row = await deployments.find_row(tx, deployment_id, lock=True)
                if row.state == DeploymentState.CREATED:
                    message = "The deployment was cancelled before it began."
                    await lifecycle.failed(tx, deployment_id, Reason.CANCELLED, message)


def _within(places: int, rows: list[OutboxRow]) -> list[OutboxRow]:
    """All that is about something known, and as many new deployments as there are places."""
    taken = []
    for row in rows:
        if outbox.is_fresh(row):
            places -= 1
            if places < 0:
                continue
        taken.append(row)
    return taken
