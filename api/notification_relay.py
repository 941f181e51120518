"""The relay of notifications: beside that of deployments, which never waits for it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from aweigh.core.errors import AweighError
from aweigh.deployments.verdict import WorkflowStatus
from aweigh.secrets.error_text import said_by
from aweigh.store import deliveries, dispatch, outbox
from aweigh.store.database import Store
from aweigh.store.dispatch import HandOver
from aweigh.store.tables import OutboxRow
from aweigh.temporal.executions import Executions
from workflows.notification import NotificationRequest, NotificationWorkflow, start_options

#: Events are written by the control worker, too, which does not wake this process.
_POLL_SECONDS: Final = 1.0
#: While deliveries end and others wait for their places, and for how many polls.
_QUICK_SECONDS: Final = 0.1
_QUICK_POLLS: Final = 20
_PATIENCE: Final = timedelta(seconds=5)
_AT_ONCE: Final = 100
_CONCURRENT: Final = 4
#: A delivery takes about a tenth of a second of processors, over all processes. More at a time
#: deliver no sooner, and calls wait for them.
_BUSY: Final = 4
#: A person waits for a deployment, and a notification has a day.
_EACH_SECOND_WHILE_DEPLOYING: Final = 3
#: How long each transaction and each hand-over gives way to calls.
_GIVE_WAY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class NotificationRelay:
    """Makes deliveries of events, and hands them over to Temporal when it is their turn."""

    def __init__(self, store: Store, connect: Callable[[], Awaitable[Client]]) -> None:
        self._store = store
        self._connect = connect
        self._executions = Executions(connect)
        self._wake = asyncio.Event()
        self._concurrent = asyncio.Semaphore(_CONCURRENT)
        self._quick_polls = 0
        self._error = ""

    def wake(self) -> None:
        """Hand over now: a delivery was requested."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            pause = _POLL_SECONDS
            try:
                pause = await self._work()
                self._log_error("")
            except (RPCError, RuntimeError, AweighError) as error:
                self._log_error(said_by(error, masks=False))
            except Exception:  # noqa: BLE001 (every notification waits for this loop)
                _log.exception("the relay of notifications failed; it continues")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _log_error(self, error: str) -> None:
        """Log changes only: an outage may last for hours."""
        if error and error != self._error:
            _log.warning("notifications wait", error=error)
        self._error = error

    async def _work(self) -> float:
        """Return the seconds until the next poll."""
        async with self._store.read() as tx:
            is_due = await dispatch.has_channels(tx) and (
                await dispatch.has_events(tx)
                or bool(
                    await dispatch.releasable(
                        tx, busy=_BUSY, while_deploying=_EACH_SECOND_WHILE_DEPLOYING
                    )
                )
            )
        more, released = await self._dispatch() if is_due else (False, 0)
        self._quick_polls = _QUICK_POLLS if released else max(self._quick_polls - 1, 0)
        async with self._store.read() as tx:
            rows = await outbox.due_notifications(tx, _AT_ONCE)
            found = await dispatch.hand_overs(tx, [row.subject for row in rows]) if rows else {}
        if rows:
            await self._hand_over_all(rows, [found.get(row.subject) for row in rows])
        if more or len(rows) == _AT_ONCE:
            return 0.0
        return _QUICK_SECONDS if self._quick_polls else _POLL_SECONDS

    async def _dispatch(self) -> tuple[bool, int]:
        """Return whether more events may follow, and how many deliveries were released."""
        await self._store.give_way(_GIVE_WAY_SECONDS)
        async with self._store.write() as tx:
            return await dispatch.dispatch(tx), await dispatch.release(
                tx, busy=_BUSY, while_deploying=_EACH_SECOND_WHILE_DEPLOYING
            )

    async def _hand_over_all(self, rows: list[OutboxRow], found: list[HandOver | None]) -> None:
        client = await self._connect() if any(found) else None
        results = await asyncio.gather(
            *(self._hand_over(client, one) for one in found if client and one),
            return_exceptions=True,
        )
        started = [row.id for row, one in zip(rows, found, strict=True) if one]
        failed = [
            row
            for row, result in zip(started, results, strict=True)
            if isinstance(result, BaseException)
        ]
        async with self._store.write() as tx:
            await outbox.close_rows(
                tx, [row.id for row, one in zip(rows, found, strict=True) if one is None]
            )
            await outbox.handed_over(tx, [row for row in started if row not in failed])
            await outbox.postpone(tx, failed)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _hand_over(self, client: Client, one: HandOver) -> None:
        """Start the workflow of a delivery; it may run already, if no record closed its row yet.

        It may also have ended: it was terminated, or delivered before the database was restored.
        """
        request = NotificationRequest(
            one.delivery_id, one.kind, one.channel, slug=one.slug, sequence=one.sequence
        )
        options = start_options(request)
        async with self._concurrent:
            await self._store.give_way(_GIVE_WAY_SECONDS)
            try:
                await client.start_workflow(
                    NotificationWorkflow.run, request, rpc_timeout=_PATIENCE, **options
                )
            except WorkflowAlreadyStartedError:
                if await self._executions.status(options["id"]) is not WorkflowStatus.CLOSED:
                    return
                async with self._store.write() as tx:
                    await deliveries.lost(tx, one.delivery_id)
