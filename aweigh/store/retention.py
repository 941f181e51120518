"""Retention: of a deployment that ended long ago, only the record with its steps is kept."""

from datetime import timedelta

from sqlalchemy import delete, select

from aweigh.deployments.deployment import DeploymentState
from aweigh.store.database import Transaction
from aweigh.store.tables import (
    ApplicationRow,
    DeliveryRow,
    DeploymentRow,
    EventRow,
    LogChunk,
)


async def forget(tx: Transaction, older_than: timedelta) -> None:
    """Remove logs and events of deployments that ended earlier and are not live.

    The events of a deployment whose record was deleted go by their own age, as do notices.
    Deliveries go with their events.
    """
    old = select(DeploymentRow.id).where(
        DeploymentRow.state.in_([DeploymentState.SUCCEEDED, DeploymentState.FAILED]),
        DeploymentRow.finished_at < tx.now - older_than,
        DeploymentRow.id.not_in(
            select(ApplicationRow.live).where(ApplicationRow.live.is_not(None))
        ),
    )
    for table in (LogChunk, EventRow):
        await tx.session.execute(delete(table).where(table.deployment_id.in_(old)))
    deleted = EventRow.deployment_id.not_in(select(DeploymentRow.id))
    await tx.session.execute(delete(EventRow).where(EventRow.at < tx.now - older_than, deleted))
    await tx.session.execute(
        delete(DeliveryRow).where(
            DeliveryRow.event_id.is_(None), DeliveryRow.created_at < tx.now - older_than
        )
    )
