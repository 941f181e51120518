"""Sends messages to people: to chats by apprise, and by mail."""

from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from aweigh.core.private_target import PrivateTarget
from aweigh.notifications.channel import Channel, Email
from aweigh.notifications.channel_secrets import channel_secrets
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.delivery import DeliveryFailed, Notification, Receipt
from aweigh.notifications.senders import failures
from aweigh.notifications.senders.apprise_schemas import MODULES
from aweigh.notifications.senders.apprise_url import apprise_url
from aweigh.notifications.senders.child import ChildFailed, Children
from aweigh.notifications.senders.child_messages import Mail, Order, Report
from aweigh.notifications.senders.rendering import render

_PUBLIC_HOSTS: Final = {ChannelKind.TELEGRAM: "api.telegram.org", ChannelKind.PUSHOVER: "pushover"}


class PeopleSender:
    def __init__(self, private: tuple[PrivateTarget, ...], children: Children) -> None:
        self._private = [str(one) for one in private]
        self._children = children

    async def send(self, channel: Channel, notification: Notification) -> Receipt:
        """Make one attempt.

        Raises:
            DeliveryFailed
        """
        secrets = channel_secrets(channel)
        try:
            order = self._order(channel, notification)
            report = await self._children.send(_target(channel), order)
        except ValueError as error:
            record = failures.receipt(None, b"", 0, secrets)
            raise failures.failed(str(error), record, secrets, is_final=True) from error
        except ChildFailed as error:
            record = failures.receipt(None, b"", error.seconds, secrets)
            raise failures.failed(str(error), record, secrets) from error
        record = failures.receipt(report.status, report.body.encode(), report.seconds, secrets)
        if report.accepted:
            return replace(record, remark=failures.words(report.message or "", secrets))
        raise _failure(report, record, secrets)

    def _order(self, channel: Channel, notification: Notification) -> Order:
        """Raises: ValueError: the channel is not valid."""
        kind = ChannelKind(channel.kind)
        rendering = render(kind, notification)
        order = Order(
            id=notification.id, thread=notification.thread, answered=notification.answered,
            title=rendering.title, body=rendering.body, format=rendering.format,
            tone=notification.tone, private=self._private,
        )  # fmt: skip
        if isinstance(channel, Email):
            order["mail"] = _mail(channel)
        else:
            url = apprise_url(channel)
            order["module"] = MODULES[url.partition("://")[0].lower()]
            order["url"] = url
            order["is_rendered"] = kind is not ChannelKind.APPRISE
        return order


def _mail(channel: Email) -> Mail:
    return Mail(
        host=channel.host, port=channel.port, security=channel.security,
        username=channel.username,
        password=channel.password.get_secret_value() if channel.password else None,
        sender=channel.sender, to=list(channel.to),
    )  # fmt: skip


def _target(channel: Channel) -> str:
    """Return what may hang by itself: a host, or a service."""
    if isinstance(channel, Email):
        return f"smtp://{channel.host}:{channel.port}"
    url = getattr(channel, "url", None)
    if url is None:
        return _PUBLIC_HOSTS.get(ChannelKind(channel.kind), channel.kind)
    return str(urlsplit(url.get_secret_value()).netloc).rpartition("@")[2]


def _failure(report: Report, record: Receipt, secrets: list[str]) -> DeliveryFailed:
    host = report.host or "The receiver"
    if report.refused and report.status is None:  # no other address of the host answered
        message = failures.private_target(host, report.refused)
        return failures.failed(message, record, secrets, is_final=True)
    if report.message:
        return failures.failed(report.message, record, secrets, is_final=report.is_final)
    if report.status is not None and not 200 <= report.status < 300:
        return failures.answer_failed(
            host, record, secrets, location=report.location, retry_after=report.retry_after
        )
    message = f"{host} did not accept the message; its answer says why."
    return failures.failed(message, record, secrets)
