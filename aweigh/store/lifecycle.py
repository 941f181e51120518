"""The state changes of a deployment, each in one transaction and safe to repeat."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import select

from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import (
    DeploymentState,
    EventKind,
    Reason,
    RecordedState,
    StepState,
    Trigger,
    message_of_superseded,
)
from aweigh.deployments.source import GitSource
from aweigh.store import applications, claims, events, outbox
from aweigh.store.database import Transaction
from aweigh.store.deployments import find_row, release_of
from aweigh.store.tables import ApplicationRow, DeploymentRow, StepRow


async def started(tx: Transaction, deployment_id: str, run_id: str) -> bool:
    """`created` → `started`; whether the deployment may proceed (it may have ended before)."""
    row = await find_row(tx, deployment_id, lock=True)
    await outbox.close(tx, outbox.DEPLOY, row.id)
    if row.state == DeploymentState.CREATED:
        row.state = DeploymentState.STARTED
        row.started_at = tx.now
        row.attempts = 1
        row.run_id = run_id
        await events.record(tx, EventKind.STARTED, row)
    elif row.state != DeploymentState.SUCCEEDED:  # after a success, a reset has nothing left to do
        with suppress(Conflict):
            await reopen(tx, row, run_id)  # a reset to the first workflow task
    return row.state == DeploymentState.STARTED and row.run_id == run_id


async def reopen(tx: Transaction, row: DeploymentRow, run_id: str) -> None:
    """Reopen a failed deployment for another attempt, after a reset of its workflow.

    Raises:
        Conflict: the run may not record anything; or another application now holds what the
            release needs.
    """
    if row.run_id == run_id:
        return
    await _check_reopening(tx, row, run_id)
    failed_before = row.state == DeploymentState.FAILED
    if failed_before:
        await _claim_again(tx, row)
        row.state = DeploymentState.STARTED
        row.started_at = tx.now  # the deadline counts from here
        row.attempts += 1
        row.reason = row.message = row.finished_at = row.superseded_by = None
    if row.run_id:
        row.earlier_runs += f"{row.run_id}\n"
    row.run_id = run_id
    if failed_before:
        await events.record(tx, EventKind.STARTED, row)


async def _claim_again(tx: Transaction, row: DeploymentRow) -> None:
    """Claim again what the release needs and gave up when the deployment failed.

    Raises:
        Conflict: another application holds it, or this one was removed.
    """
    application = await applications.locked_row(tx, row.application_id)
    if application.removed_at:
        raise Conflict(f"{application.slug} was removed")
    await claims.take(tx, application, (await release_of(tx, row)).settings)


async def succeeded(tx: Transaction, deployment_id: str, run_id: str) -> None:
    """Record that the deployment is live, whatever was recorded before the switch."""
    row = await find_row(tx, deployment_id, lock=True)
    if row.state == DeploymentState.SUCCEEDED:
        return
    if row.state == DeploymentState.FAILED:
        with suppress(Conflict):  # it is live regardless
            await _claim_again(tx, row)
    row.run_id = run_id
    row.state = DeploymentState.SUCCEEDED
    row.reason = row.message = None
    row.finished_at = tx.now
    application = await applications.locked_row(tx, row.application_id)
    if application.removed_at is None and await _is_newest(tx, application, row):
        application.live, application.live_since = row.id, tx.now
        if row.tag or row.trigger == Trigger.ROLLBACK:
            await _adopt_tag(tx, row)
    await _ended(tx, row, EventKind.SUCCEEDED)


async def _is_newest(tx: Transaction, application: ApplicationRow, row: DeploymentRow) -> bool:
    """False for a late record, after that of a newer deployment."""
    if application.live is None:
        return True
    return row.sequence > (await find_row(tx, application.live)).sequence


async def _adopt_tag(tx: Transaction, row: DeploymentRow) -> None:
    """Make the live tag the application's own, unless its image has changed meanwhile."""
    application = await applications.find(tx, row.application_id, lock=True)
    source = (await release_of(tx, row)).settings.source
    own = application.settings.source
    if isinstance(source, GitSource) or isinstance(own, GitSource):
        return  # a deployed tag or commit does not change the followed branch
    if own.reference.repository == source.reference.repository:
        adopted = own.model_copy(update={"image": source.image, "tag": source.tag})
        settings = application.settings.model_copy(update={"source": adopted})
        applications.seal_settings(tx, application.row, settings)


async def failed(
    tx: Transaction,
    deployment_id: str,
    reason: Reason,
    message: str,
    *,
    run_id: str | None = None,
    superseded_by: str | None = None,
) -> None:
    """Record that the deployment failed; an ended one keeps its state."""
    row = await find_row(tx, deployment_id, lock=True)
    if run_id:
        try:
            await reopen(tx, row, run_id)
        except Conflict:
            return
    if DeploymentState(row.state).ended:
        return
    _fail(tx, row, reason, message, superseded_by)
    await _ended(tx, row, EventKind.FAILED)


async def supersede(tx: Transaction, by: Mapping[str, str], rows: Sequence[DeploymentRow]) -> None:
    """Supersede deployments that have not started, each `by` a newer one.

    The caller settles the claims of their applications.
    """
    for row in rows:
        newer = by[row.id]
        _fail(tx, row, Reason.SUPERSEDED, message_of_superseded(newer), newer)
    await events.record(tx, EventKind.FAILED, *rows)


def _fail(
    tx: Transaction, row: DeploymentRow, reason: Reason, message: str, superseded_by: str | None
) -> None:
    row.state = DeploymentState.FAILED
    row.reason, row.message = reason, message
    row.finished_at = tx.now
    row.superseded_by = superseded_by


async def _ended(tx: Transaction, row: DeploymentRow, event: EventKind) -> None:
    for kind in (outbox.DEPLOY, outbox.CANCEL):
        await outbox.close(tx, kind, row.id)
    query = select(StepRow).where(
        StepRow.deployment_id == row.id, StepRow.state == StepState.RUNNING
    )
    for step in await tx.session.scalars(query):
        step.state, step.finished_at = StepState(row.state), tx.now
    await events.record(tx, event, row)
    await claims.settle(tx, await applications.locked_row(tx, row.application_id))


async def standing(tx: Transaction, deployment_id: str) -> RecordedState:
    """Return the recorded state; after a success, with what is live now."""
    row = await find_row(tx, deployment_id)
    state = DeploymentState(row.state)
    if state is DeploymentState.SUCCEEDED:
        return RecordedState(
            state, None, f"The deployment has succeeded already. {await _live_now(tx, row)}"
        )
    return RecordedState(state, Reason(row.reason) if row.reason else None, row.message or "")


async def _check_reopening(tx: Transaction, row: DeploymentRow, run_id: str) -> None:
    """Refuse a run that may not record anything for the deployment.

    Raises:
        Conflict: a newer run replaced this one; the deployment ended before any run; or it
            succeeded and is no longer live.
    """
    state = DeploymentState(row.state)
    if row.run_id is None and state.ended:
        raise Conflict(f"{row.id} was closed before its workflow started: nothing can be resumed")
    if run_id in row.earlier_runs.splitlines():
        raise Conflict(f"{row.id} continues in run {row.run_id}; {run_id} is an earlier run")
    if state is DeploymentState.SUCCEEDED and not await _is_live(tx, row):
        raise Conflict(f"{row.id} has succeeded already. {await _live_now(tx, row)}")


async def _is_live(tx: Transaction, row: DeploymentRow) -> bool:
    return (await tx.session.get_one(ApplicationRow, row.application_id)).live == row.id


async def _live_now(tx: Transaction, row: DeploymentRow) -> str:
    application = await tx.session.get_one(ApplicationRow, row.application_id)
    if application.live == row.id:
        return "It is live."
    if application.removed_at:
        return f"{application.slug} has been removed since."
    if application.live is None:
        return "Nothing is live now. To make it live again, roll back to it."
    newer = await find_row(tx, application.live)
    return f"#{newer.sequence} is live now. To make this one live again, roll back to it."
