"""The records of a deployment's life, each one transaction, each safe to repeat."""

from contextlib import suppress

from sqlalchemy import select

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict, UnknownRun
from aweigh.deployments.deployment import (
    OPEN,
    DeploymentState,
    EventKind,
    Reason,
    StepState,
    Trigger,
    message_of_superseded,
)
from aweigh.deployments.source import GitSource
from aweigh.store import applications, claims, outbox, runs
from aweigh.store.database import Transaction
from aweigh.store.deployments import event_of, find_row, record_event, release_of, still_tells
from aweigh.store.tables import ApplicationRow, DeploymentRow, EventRow, ReleaseRow, StepRow


async def started(tx: Transaction, deployment_id: str, run_id: str) -> bool:
    """`created` → `started`; whether the deployment may go on (it may have ended before)."""
    row = await find_row(tx, deployment_id, lock=True)
    await outbox.close(tx, outbox.DEPLOY, row.id)
    if row.state == DeploymentState.CREATED:
        row.state = DeploymentState.STARTED
        row.started_at = tx.now
        row.attempts = 1
        row.run_id = run_id
        record_event(tx, row, EventKind.STARTED)
    elif row.state != DeploymentState.SUCCEEDED:  # there, a reset finds nothing left to do
        with suppress(Conflict):
            await _reopen(tx, row, run_id)  # a reset from its very beginning
    return row.state == DeploymentState.STARTED and row.run_id == run_id


async def _reopen(tx: Transaction, row: DeploymentRow, run_id: str) -> None:
    """A workflow reset by hand runs a failed deployment again: one more attempt of it.

    Raises:
        Conflict: the run may not speak for it; or another application holds by now what the
            release needs.
    """
    if row.run_id == run_id:
        return
    await runs.refuse_reopening(tx, row, run_id)
    if row.state == DeploymentState.FAILED:
        await _claim_again(tx, row)
        row.state = DeploymentState.STARTED
        row.started_at = tx.now  # its deadline counts from here
        row.attempts += 1
        row.reason = row.message = row.finished_at = row.superseded_by = None
        record_event(tx, row, EventKind.STARTED)
    if row.run_id:
        row.earlier_runs += f"{row.run_id}\n"
    row.run_id = run_id


async def _claim_again(tx: Transaction, row: DeploymentRow) -> None:
    """Hold what its release needs, which was given up when it failed.

    Raises:
        Conflict: another application holds it, or this one is removed.
    """
    application = await applications.locked_row(tx, row.application_id)
    if application.removed_at:
        raise Conflict(f"{application.slug} was removed")
    await claims.take(tx, application, (await release_of(tx, row)).settings)


async def succeeded(tx: Transaction, deployment_id: str, run_id: str) -> None:
    """The deployment is live: the record that follows the switch, whatever was recorded before."""
    row = await find_row(tx, deployment_id, lock=True)
    if row.state == DeploymentState.SUCCEEDED:
        return
    if row.state == DeploymentState.FAILED:
        with suppress(Conflict):  # it is live all the same
            await _claim_again(tx, row)
    row.run_id = run_id
    row.state = DeploymentState.SUCCEEDED
    row.reason = row.message = None
    row.finished_at = tx.now
    record_event(tx, row, EventKind.SUCCEEDED)
    application = await applications.locked_row(tx, row.application_id)
    if application.removed_at is None and await _is_newest(tx, application, row):
        application.live, application.live_since = row.id, tx.now
        if row.tag or row.trigger == Trigger.ROLLBACK:
            await _take_tag(tx, row)
    await _ended(tx, row)


async def _is_newest(tx: Transaction, application: ApplicationRow, row: DeploymentRow) -> bool:
    """Not so for a record that comes late, after that of a newer deployment."""
    if application.live is None:
        return True
    return row.sequence > (await find_row(tx, application.live)).sequence


async def _take_tag(tx: Transaction, row: DeploymentRow) -> None:
    """A tag that is live becomes the application's own, unless the image was changed meanwhile."""
    application = await applications.find(tx, row.application_id, lock=True)
    source = (await release_of(tx, row)).settings.source
    own = application.settings.source
    if isinstance(source, GitSource) or isinstance(own, GitSource):
        return  # a deployed tag or commit does not change which branch is followed
    if own.reference.repository == source.reference.repository:
        taken = own.model_copy(update={"image": source.image, "tag": source.tag})
        settings = application.settings.model_copy(update={"source": taken})
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
    """The deployment did not become live; one that ended already stays as it ended."""
    row = await find_row(tx, deployment_id, lock=True)
    if run_id:
        try:
            await _reopen(tx, row, run_id)
        except Conflict:
            return
    if DeploymentState(row.state).ended:
        return
    await tx.insert(_fail(tx, row, reason, message, superseded_by))
    await _ended(tx, row)


def supersede(tx: Transaction, row: DeploymentRow, newer: str) -> EventRow:
    """End one that nothing has come of so far, and that nothing is to come of.

    What it holds is still to be given up, and the event of it to be written.
    """
    return _fail(tx, row, Reason.SUPERSEDED, message_of_superseded(newer), newer)


def _fail(
    tx: Transaction, row: DeploymentRow, reason: Reason, message: str, superseded_by: str | None
) -> EventRow:
    row.state = DeploymentState.FAILED
    row.reason, row.message = reason, message
    row.finished_at = tx.now
    row.superseded_by = superseded_by
    return event_of(tx, row, EventKind.FAILED)


async def _ended(tx: Transaction, row: DeploymentRow) -> None:
    for kind in (outbox.DEPLOY, outbox.CANCEL):
        await outbox.close(tx, kind, row.id)
    query = select(StepRow).where(
        StepRow.deployment_id == row.id, StepRow.state == StepState.RUNNING
    )
    for step in await tx.session.scalars(query):
        step.state, step.finished_at = StepState(row.state), tx.now
    await applications.settle(tx, await applications.locked_row(tx, row.application_id))


async def report_step(
    tx: Transaction, deployment_id: str, name: str, report: StepReport, *, known: bool = True
) -> None:
    """Take a server worker's word on one step; a run id not seen before reopens a failed one.

    `known`: that the run is the deployment's own is known, also if no record has named it yet.

    Raises:
        UnknownRun: it must be asked about first.
        Conflict: the deployment ended, and this report is of the run that ended or an earlier one;
            or it cannot be opened again.
    """
    row = await find_row(tx, deployment_id, lock=True)
    anew = report.run_id not in (row.run_id, *row.earlier_runs.splitlines())
    if anew and not known:
        raise UnknownRun(f"{deployment_id} has no run {report.run_id}")
    await _reopen(tx, row, report.run_id)
    if not (anew or await still_tells(tx, row)):
        raise Conflict(f"{deployment_id} ended long ago")
    if row.state == DeploymentState.FAILED and report.state is StepState.RUNNING:
        raise Conflict(f"{deployment_id} has ended as {row.state} / {row.reason}")
    step = await tx.session.get(StepRow, (deployment_id, name))
    if step is None:
        step = StepRow(deployment_id=deployment_id, name=name, started_at=tx.now)
        tx.session.add(step)
    step.started_at = report.started_at or step.started_at
    step.state = report.state
    step.attempts = max(report.attempt, 1)
    step.detail = report.detail
    ended = report.state is not StepState.RUNNING
    step.finished_at = (report.finished_at or tx.now) if ended else None
    if row.state in OPEN:  # what has ended stays what it was
        await _pin(tx, row, report)


async def _pin(tx: Transaction, row: DeploymentRow, report: StepReport) -> None:
    release = await tx.session.get_one(ReleaseRow, row.release_id)
    if report.commit:
        release.commit = report.commit
    if report.image and report.image.id:
        release.image_reference = report.image.reference
        release.image_id = report.image.id
        release.image_digest = report.image.digest or release.image_digest
