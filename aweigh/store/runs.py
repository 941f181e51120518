"""Runs of a deployment's workflow: which one speaks for it, and what a reset run is told."""

from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import DeploymentState, Reason, Standing
from aweigh.store.database import Transaction
from aweigh.store.deployments import find_row
from aweigh.store.tables import ApplicationRow, DeploymentRow


async def standing(tx: Transaction, deployment_id: str) -> Standing:
    """How its record stands; of one that had succeeded, what is live now."""
    row = await find_row(tx, deployment_id)
    state = DeploymentState(row.state)
    if state is DeploymentState.SUCCEEDED:
        return Standing(state, None, f"It had succeeded before. {await _live_now(tx, row)}")
    return Standing(state, Reason(row.reason) if row.reason else None, row.message or "")


async def refuse_reopening(tx: Transaction, row: DeploymentRow, run_id: str) -> None:
    """Refuse a run that may not speak for the deployment: nothing it says is recorded.

    Raises:
        Conflict: another run has taken this one's place; the deployment ended before any run; or
            it succeeded, and is not what is live now.
    """
    state = DeploymentState(row.state)
    if row.run_id is None and state.ended:
        raise Conflict(f"{row.id} ended before any run: there is nothing to go on with")
    if run_id in row.earlier_runs.splitlines():
        raise Conflict(f"{row.id} goes on in run {row.run_id}; this is an earlier run")
    if state is DeploymentState.SUCCEEDED and not await _is_live(tx, row):
        raise Conflict(f"{row.id} had succeeded before. {await _live_now(tx, row)}")


async def _is_live(tx: Transaction, row: DeploymentRow) -> bool:
    return (await tx.session.get_one(ApplicationRow, row.application_id)).live == row.id


async def _live_now(tx: Transaction, row: DeploymentRow) -> str:
    application = await tx.session.get_one(ApplicationRow, row.application_id)
    if application.live == row.id:
        return "It is what is live."
    if application.removed_at:
        return f"{application.slug} was removed since."
    if application.live is None:
        return "Nothing is live now. To make it live again, roll back to it."
    newer = await find_row(tx, application.live)
    return f"#{newer.sequence} is live now. To make this one live again, roll back to it."
