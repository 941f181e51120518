"""A call that is repeated with its `Idempotency-Key` makes one deployment."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from aweigh.core.errors import Invalid
from aweigh.store import deployments
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment
from aweigh.store.tables import IdempotencyRow

KEY_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Key:
    """A caller's `Idempotency-Key` at one door, with a hash of what it asked for."""

    door: str
    value: str
    body_hash: str


async def remembered(tx: Transaction, application_id: str, key: Key) -> str | None:
    """The deployment an earlier call with this key made.

    Raises:
        Invalid: the key was used with another body.
    """
    await tx.session.execute(
        delete(IdempotencyRow).where(IdempotencyRow.created_at < tx.now - KEY_KEPT)
    )
    row = await tx.session.get(IdempotencyRow, (application_id, key.door, key.value))
    if row and row.body_hash != key.body_hash:
        raise Invalid("Idempotency-Key", "was used within 7 days with another body; choose another")
    return row.deployment_id if row else None


def remember(tx: Transaction, application_id: str, key: Key, deployment_id: str) -> None:
    tx.session.add(
        IdempotencyRow(
            application_id=application_id, door=key.door, key=key.value, body_hash=key.body_hash,
            deployment_id=deployment_id, created_at=tx.now,
        )
    )  # fmt: skip


async def once(
    tx: Transaction, application_id: str, key: Key | None, make: Callable[[], Awaitable[Deployment]]
) -> Deployment:
    """The deployment that an earlier call with this key made, or else the one made now.

    Raises:
        Invalid: the key was used with another body.
    """
    if key is None:
        return await make()
    if known := await remembered(tx, application_id, key):
        return await deployments.find(tx, known)
    made = await make()
    remember(tx, application_id, key, made.id)
    return made
