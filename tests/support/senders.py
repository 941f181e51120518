"""Senders that keep what they are given, and answer as a test says."""

from collections.abc import Sequence
from dataclasses import dataclass

from aweigh.core.settings import Settings
from aweigh.notifications.channel import Channel
from aweigh.notifications.delivery import Notification, Receipt
from aweigh.notifications.senders.senders import Senders

TAKEN = Receipt(status=204, response="", duration=7)


@dataclass(frozen=True)
class Sent:
    channel: Channel
    signing_secrets: tuple[str, ...]
    notification: Notification


class FakeSenders(Senders):
    """It leaves out: every receiver."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.sent: list[Sent] = []
        #: How they are answered, one after the other; then all are accepted.
        self.answers: list[Receipt | Exception] = []

    async def send(
        self, channel: Channel, signing_secrets: Sequence[str], notification: Notification
    ) -> Receipt:
        self.sent.append(Sent(channel, tuple(signing_secrets), notification))
        answer = self.answers.pop(0) if self.answers else TAKEN
        if isinstance(answer, Exception):
            raise answer
        return answer
