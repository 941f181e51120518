"""The values of a channel that no message, error or record may show."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from aweigh.notifications.channel_settings import ChannelSettings
from aweigh.notifications.senders.apprise_schemas import quoted_fragments

#: Parts of well-known addresses that are not secret; hiding them would only blank out messages.
_COMMON: Final = frozenset({
    "services", "workflows", "triggers", "manual", "invoke", "webhooks", "powerautomate",
    "automations", "direct", "paths", "hooks", "api", "run", "message",
})  # fmt: skip


def channel_secrets(channel: ChannelSettings) -> list[str]:
    """Return every secret field, and the parts of addresses that may be secret by themselves."""
    found: list[str] = []
    for name in type(channel).model_fields:
        value = getattr(channel, name)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            found += [text, *_parts(text)] if "://" in text else [text]
    return list(dict.fromkeys(found))


def _parts(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(quoted_fragments(url))
        credentials = [parts.username, parts.password]
    except ValueError:
        return
    pieces = [*credentials, *parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    if parts.scheme not in ("http", "https"):
        # apprise writes tokens where others write the host, which has a dot.
        pieces += [one for one in re.split("[@:]", parts.netloc) if "." not in one]
    for piece in pieces:
        if piece and piece not in _COMMON:
            yield from {piece, unquote(piece)}
