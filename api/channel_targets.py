"""Whether a channel may have its target: the senders, apprise and the private networks decide."""

from typing import Final

from api.dependencies import AppContext
from aweigh.core.errors import Invalid
from aweigh.notifications.addresses import is_refused
from aweigh.notifications.channel import Channel
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.senders.apprise_url import apprise_url

_SERVICES: Final = "https://appriseit.com/services/"


async def check_target(context: AppContext, new: Channel, known: Channel | None = None) -> None:
    """Refuse what no message could be sent to. Takes seconds, unless `known` has the same target.

    Raises:
        Invalid
        Unavailable: apprise could not be asked.
    """
    address = _apprise_address(new)
    _refuse_private(context, new)
    if address is not None and not (known and known.target_fields == new.target_fields):
        await _ask_apprise(context, address, "url" if "url" in type(new).model_fields else "token")


def _apprise_address(channel: Channel) -> str | None:
    """Return the address for apprise, unless Aweigh itself sends to such a channel."""
    if channel.kind in (ChannelKind.WEBHOOK, ChannelKind.EMAIL):
        return None
    try:
        return apprise_url(channel)
    except ValueError as error:
        field, _, message = str(error).partition(" ")
        raise Invalid(field, message) from error


def _refuse_private(context: AppContext, channel: Channel) -> None:
    endpoint = channel.endpoint
    if endpoint and is_refused(endpoint, context.settings.private_targets):
        raise Invalid(
            "host" if channel.kind is ChannelKind.EMAIL else "url",
            f"leads to {endpoint}, which is in a private network; allow it with "
            "AWEIGH_PRIVATE_TARGETS",
        )


async def _ask_apprise(context: AppContext, address: str, field: str) -> None:
    found = await context.address_checks.check(address)
    if found.refusal:
        raise Invalid(field, f"{found.refusal}; compare it with {_SERVICES}")
    if found.receivers < 1:
        raise Invalid(field, f"names no receiver; compare it with {_SERVICES}")
    if found.receivers > 1:
        # A message that one of them does not accept would be repeated to all.
        raise Invalid(field, f"names {found.receivers} receivers; make a channel for each")
