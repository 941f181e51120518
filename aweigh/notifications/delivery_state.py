"""The states of a delivery, and the kinds of notices that are about a channel itself."""

from enum import StrEnum
from typing import Final


class DeliveryState(StrEnum):
    """`sending` begins with the hand-over to Temporal; `dropped` deliveries are not made."""

    WAITING = "waiting"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def ended(self) -> bool:
        return self not in UNENDED


UNENDED: Final = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.RETRYING)


class NoticeKind(StrEnum):
    """What a channel is told that is no event."""

    TEST = "channel.test"
    DISABLED = "channel.disabled"
