"""The delivery of a notification to one channel: activities of the control worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import as_application_errors
from activities.heartbeat import heartbeating
from activities.inputs import (
    CancelledDelivery,
    CancelledDeliveryResult,
    DeliveryInput,
    DeliveryResult,
)
from aweigh.core.text import one_line, printable
from aweigh.notifications.delivery import NotDelivered
from aweigh.servers.running_step import LONGEST_MESSAGE

if TYPE_CHECKING:
    from aweigh.notifications.courier import Courier

#: The type of the failure of an attempt, and of a delivery that is given up.
NOT_DELIVERED: Final = "not_delivered"


class DeliveryActivities:
    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    @activity.defn(name="deliver_notification")
    async def deliver(self, given: DeliveryInput) -> DeliveryResult:
        """Make one attempt; the courier decides whether and when Temporal makes the next."""
        async with as_application_errors("deliver notification"), heartbeating():
            try:
                return DeliveryResult(await self._courier.deliver(given.delivery_id))
            except NotDelivered as error:
                raise ApplicationError(
                    printable(one_line(str(error), LONGEST_MESSAGE)), type=NOT_DELIVERED,
                    non_retryable=error.again_in is None, next_retry_delay=error.again_in,
                ) from None  # fmt: skip

    @activity.defn(name="record_cancelled_delivery")
    async def cancelled(self, record: CancelledDelivery) -> CancelledDeliveryResult:
        """End a delivery whose workflow was cancelled, so that later ones need not wait for it."""
        async with as_application_errors("record cancelled delivery"):
            await self._courier.cancelled(record.delivery_id)
            return CancelledDeliveryResult()
