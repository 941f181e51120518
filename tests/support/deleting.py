"""Deployments that have ended, and their deletion."""

from typing import Any

from sqlalchemy import select

from aweigh.deployments.deployment import Reason, Trigger
from aweigh.store import (
    admission,
    applications,
    deletion,
    deployments,
    lifecycle,
)
from aweigh.store.admission import Order
from aweigh.store.database import Store
from tests.support.installation import (
    new_deployment,
    succeed,
)

#: Of so many releases the server keeps the images.
KEEP = 5


async def delete(store: Store, deployment_id: str, keep: int = KEEP) -> None:
    async with store.write() as tx:
        await deletion.delete_ended(tx, deployment_id, keep)


async def fail(store: Store, deployment_id: str) -> None:
    async with store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def again(store: Store, deployment_id: str, trigger: Trigger = Trigger.ROLLBACK) -> str:
    """A new deployment of the same release."""
    async with store.write() as tx:
        row = await deployments.find_row(tx, deployment_id, lock=True)
        application = await applications.find(tx, row.application_id, lock=True)
        order = Order(trigger=trigger, actor="ci", retry_of=row.id)
        return (await admission.admit_again(tx, application, row, order)).id


async def succeeded(store: Store, application: str, number: int) -> list[str]:
    made = []
    for _ in range(number):
        made.append(await new_deployment(store, application))
        await succeed(store, made[-1])
    return made


async def ids_in(store: Store, table: Any, column: Any) -> set[str]:
    async with store.read() as tx:
        return set(await tx.session.scalars(select(column).select_from(table)))
