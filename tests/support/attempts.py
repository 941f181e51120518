"""A courier with a delivery, for tests of its attempts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from aweigh.core.errors import Unavailable
from aweigh.core.settings import Settings
from aweigh.notifications.courier import Courier
from aweigh.notifications.delivery import DeliveryFailed, NotDelivered, Receipt
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import DeliveryRow
from tests.support.channels import deliveries_of, dispatched, new_channel
from tests.support.installation import (
    new_application,
    new_deployment,
)
from tests.support.senders import FakeSenders


def refused(status: int, **more: Any) -> DeliveryFailed:
    return DeliveryFailed(f"it answered {status}", Receipt(status, "no", 3), **more)


class BusyStore(Store):
    """A store that is busy for some writes, once it is told so."""

    busy = 0

    @asynccontextmanager
    async def write(self, **options: Any) -> AsyncIterator[Transaction]:
        if self.busy:
            self.busy -= 1
            raise Unavailable("the database is locked")
        async with super().write(**options) as tx:
            yield tx


@dataclass
class Round:
    """A courier with one delivery: that a deployment was created."""

    store: Store
    senders: FakeSenders
    channel: str
    deployment: str
    delivery: str

    @property
    def courier(self) -> Courier:
        return Courier(self.store, self.senders, Settings())

    async def deliver(self) -> str:
        return await self.courier.deliver(self.delivery)

    async def fail(self) -> NotDelivered:
        with pytest.raises(NotDelivered) as failed:
            await self.deliver()
        return failed.value

    async def row(self) -> DeliveryRow:
        async with self.store.read() as tx:
            return await tx.session.get_one(DeliveryRow, self.delivery)

    async def next(self) -> None:
        """Take the newest delivery of the channel as the one."""
        await dispatched(self.store)
        self.delivery = (await deliveries_of(self.store, self.channel))[-1].id


async def round_of(store: Store, **application: Any) -> Round:
    channel = await new_channel(store)
    deployment = await new_deployment(store, await new_application(store, **application))
    made = Round(store, FakeSenders(), channel, deployment, "")
    await made.next()
    return made
