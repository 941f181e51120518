"""Reports of server workers on the steps of a deployment."""

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict, UnknownRun
from aweigh.deployments.deployment import OPEN, DeploymentState, StepState
from aweigh.store import lifecycle, releases
from aweigh.store.database import Transaction
from aweigh.store.deployments import accepts_reports, find_row
from aweigh.store.tables import DeploymentRow, ReleaseRow, StepRow


async def report(
    tx: Transaction, deployment_id: str, name: str, given: StepReport, *, known: bool = True
) -> None:
    """Record a server worker's report on a step; a new run reopens a failed deployment.

    `known`: the caller has verified that the run is the deployment's own.

    Raises:
        UnknownRun: the run must be verified first.
        Conflict: the deployment has ended and the report is of that run or an earlier one; or the
            deployment cannot be reopened.
    """
    row = await find_row(tx, deployment_id, lock=True)
    is_new_run = given.run_id not in (row.run_id, *row.earlier_runs.splitlines())
    if is_new_run and not known:
        raise UnknownRun(f"{deployment_id} has no run {given.run_id}")
    await lifecycle.reopen(tx, row, given.run_id)
    if not (is_new_run or await accepts_reports(tx, row)):
        raise Conflict(f"{deployment_id} ended long ago")
    if row.state == DeploymentState.FAILED and given.state is StepState.RUNNING:
        raise Conflict(f"{deployment_id} has ended as {row.state} / {row.reason}")
    step = await tx.session.get(StepRow, (deployment_id, name))
    if step is None:
        step = StepRow(deployment_id=deployment_id, name=name, started_at=tx.now)
        tx.session.add(step)
    step.started_at = given.started_at or step.started_at
    step.state = given.state
    step.attempts = max(given.attempt, 1)
    step.detail = given.detail
    ended = given.state is not StepState.RUNNING
    step.finished_at = (given.finished_at or tx.now) if ended else None
    if row.state in OPEN:  # an ended deployment keeps what it was pinned to
        await _pin(tx, row, given)


async def _pin(tx: Transaction, row: DeploymentRow, given: StepReport) -> None:
    release = await tx.session.get_one(ReleaseRow, row.release_id)
    if given.commit:
        release.commit = given.commit
        release.commit_subject = await releases.known_subject(tx, release)
    if given.commit_subject:
        release.commit_subject = given.commit_subject
    if given.image and given.image.id:
        release.image_reference = given.image.reference
        release.image_id = given.image.id
        release.image_digest = given.image.digest or release.image_digest
