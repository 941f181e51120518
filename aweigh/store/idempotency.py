"""A call repeated with the same `Idempotency-Key` makes one deployment."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from aweigh.core.errors import Conflict, Invalid, NotFound
from aweigh.store import deployments
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment
from aweigh.store.tables import IdempotencyRow

KEY_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Key:
    """A caller's `Idempotency-Key` at one endpoint, with a hash of the request."""

    endpoint: str
    value: str
    body_hash: str


async def find(tx: Transaction, application_id: str, key: Key) -> str | None:
    """Return the id of the deployment that an earlier call with this key made.

    Raises:
        Invalid: the key was used with another body.
    """
    await tx.session.execute(
        delete(IdempotencyRow).where(IdempotencyRow.created_at < tx.now - KEY_KEPT)
    )
    row = await tx.session.get(IdempotencyRow, (application_id, key.endpoint, key.value))
    if row and row.body_hash != key.body_hash:
        raise Invalid(
            "Idempotency-Key", "was used with another body within 7 days; choose another key"
        )
    return row.deployment_id if row else None


def remember(tx: Transaction, application_id: str, key: Key, deployment_id: str) -> None:
    tx.session.add(
        IdempotencyRow(
            application_id=application_id, endpoint=key.endpoint, key=key.value,
            body_hash=key.body_hash, deployment_id=deployment_id, created_at=tx.now,
        )
    )  # fmt: skip


async def once(
    tx: Transaction, application_id: str, key: Key | None, make: Callable[[], Awaitable[Deployment]]
) -> Deployment:
    """Return the deployment that an earlier call with this key made, or make one.

    Raises:
        Invalid: the key was used with another body.
        Conflict: that deployment was deleted; a repeated call makes no second one.
    """
    if key is None:
        return await make()
    if known := await find(tx, application_id, key):
        return await _find_again(tx, known)
    made = await make()
    remember(tx, application_id, key, made.id)
    return made


async def _find_again(tx: Transaction, deployment_id: str) -> Deployment:
    """Raises: Conflict: it was deleted."""
    try:
        return await deployments.find(tx, deployment_id)
    except NotFound:
        raise Conflict(
            f"{deployment_id}, which an earlier call with this Idempotency-Key made, was deleted; "
            "choose another key to deploy again"
        ) from None
