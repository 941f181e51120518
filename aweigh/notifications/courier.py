"""Delivers notifications: one attempt at a time, each of them recorded."""

from typing import Protocol


class Courier(Protocol):
    """Makes the attempts of deliveries, and decides when the next one is made."""

    async def deliver(self, delivery_id: str) -> str:
        """Make one attempt; return what became of the delivery, for people.

        Raises:
            NotDelivered: the attempt failed.
        """

    async def cancelled(self, delivery_id: str) -> None:
        """Record that the delivery was cancelled in Temporal."""
