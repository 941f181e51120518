"""Sends a notification to a channel of any kind."""

import ssl

from aweigh.core.settings import Settings
from aweigh.notifications.channel import Channel, Webhook
from aweigh.notifications.channel_secrets import channel_secrets
from aweigh.notifications.delivery import Notification, Receipt
from aweigh.notifications.senders.child import Children
from aweigh.notifications.senders.guarded_network import GuardedNetwork, Resolver
from aweigh.notifications.senders.people import PeopleSender
from aweigh.notifications.senders.webhook import WebhookSender


class Senders:
    """Certificates are verified with those of the machine."""

    def __init__(self, settings: Settings) -> None:
        private = settings.private_targets
        self._resolver = Resolver()
        network = GuardedNetwork(private, self._resolver)
        self._webhooks = WebhookSender(network, ssl.create_default_context())
        self._people = PeopleSender(private, Children())

    async def send(
        self, channel: Channel, signing_secrets: tuple[str, ...], notification: Notification
    ) -> Receipt:
        """Make one attempt. `signing_secrets`: of a webhook, the newest first.

        Raises:
            DeliveryFailed: the receiver did not accept it, or nothing answered.
        """
        if isinstance(channel, Webhook):
            hidden = [*channel_secrets(channel), *signing_secrets]
            url = channel.url.get_secret_value()
            return await self._webhooks.send(url, signing_secrets, notification, hidden)
        return await self._people.send(channel, notification)

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._webhooks.close()
        self._resolver.close()
