"""Sends a notification to a channel of any kind."""

from aweigh.core.settings import Settings
from aweigh.notifications.channel import Channel
from aweigh.notifications.delivery import Notification, Receipt


class Senders:
    def __init__(self, settings: Settings) -> None:
        self._private = settings.private_targets

    async def send(
        self, channel: Channel, signing_secrets: tuple[str, ...], notification: Notification
    ) -> Receipt:
        """Make one attempt. `signing_secrets`: of a webhook, the newest first.

        Raises:
            DeliveryFailed: the receiver did not accept it, or nothing answered.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connections that are kept open."""
