"""Changes a channel's settings by a JSON merge patch (RFC 7396).

Stored credentials are only for the server that they were given for: a change of its scheme, host or
port must provide new ones, or drops them.
"""

from typing import Any, Final

from pydantic import TypeAdapter

from aweigh.core.errors import Invalid
from aweigh.notifications.channel import Channel
from aweigh.secrets.value import REVEAL

_CHANNEL: TypeAdapter[Channel] = TypeAdapter(Channel)
_CREDENTIALS: Final = ("token", "username", "password")


def merged(settings: Channel, change: dict[str, Any]) -> Channel:
    """Return the settings with a change applied; a webhook's secret only if it is in the change.

    Raises:
        Invalid: the kind would change.
        ValidationError: a part of the result is wrong.
    """
    if change.get("kind", settings.kind) != settings.kind:
        raise Invalid("kind", "cannot be changed; create another channel")
    known = settings.model_dump(mode="json", context=REVEAL, by_alias=True, exclude={"secret"})
    result = _CHANNEL.validate_python(_merge(known, change))
    if result.origin == settings.origin:
        return result
    kept = {name: value for name, value in known.items() if name not in _CREDENTIALS}
    return _CHANNEL.validate_python(_merge(kept, change))


def _merge(known: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    result = dict(known)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(known.get(key), dict):
            result[key] = _merge(known[key], value)
        else:
            result[key] = value
    return result
