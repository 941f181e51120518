"""Changes an application's settings by a JSON merge patch (RFC 7396).

With two exceptions: a variable is replaced as a whole, so that no stored secret becomes plain. And
stored credentials are only for the origin that they were given for: a change of origin must provide
new ones, or drops them.
"""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from aweigh.core.errors import Invalid
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.source import Source
from aweigh.secrets.value import REVEAL

_SOURCE: TypeAdapter[Source] = TypeAdapter(Source)
#: The fields of a source with its credentials.
_CREDENTIALS = {"image": "registry", "git": "credentials"}
#: The fields of settings with variables.
_VARIABLES = (("env",), ("source", "build", "env"), ("source", "build", "args"))


def merged(settings: ApplicationSettings, change: dict[str, Any]) -> ApplicationSettings:
    """Return the settings with a change applied.

    Raises:
        Invalid: a part that is fixed would change.
        ValidationError: a part of the result is wrong.
    """
    for fixed in ("name", "server"):
        if fixed in change:
            raise Invalid(fixed, "cannot be changed")
    known = settings.model_dump(mode="json", context=REVEAL)
    if isinstance(source := change.get("source"), dict):
        known["source"] = _kept(settings, known["source"], source)
    return ApplicationSettings.model_validate(_merge(known, change))


def _kept(
    settings: ApplicationSettings, known: dict[str, Any], change: dict[str, Any]
) -> dict[str, Any]:
    """Return the part of a source that its change is merged with."""
    if _is_other("type", known, change):
        return {}
    held = _CREDENTIALS[known["type"]]
    kept = dict(known)
    for part, kind in (("build", "method"), (held, "type")):
        if _is_other(kind, known.get(part), change.get(part)):
            kept[part] = {}
    if settings.source.origin != _origin(kept, change, held):
        kept[held] = None
    return kept


def _origin(known: dict[str, Any], change: dict[str, Any], held: str) -> str | None:
    """Return the origin of the changed source; None if it is invalid, which is reported later."""
    changed = _merge(known | {held: None}, {**change, held: None}, ("source",))
    try:
        return _SOURCE.validate_python(changed).origin
    except ValidationError:
        return None


def _is_other(kind: str, known: Any, change: Any) -> bool:
    """Whether the change replaces a value by one of another kind."""
    if not isinstance(known, dict) or not isinstance(change, dict):
        return False
    return bool(change.get(kind, known.get(kind)) != known.get(kind))


def _merge(target: Any, patch: Any, place: tuple[str, ...] = ()) -> Any:
    """Merge as in RFC 7396: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    if place[:-1] in _VARIABLES:
        return _variable(target, patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value, (*place, key))
    return result


def _variable(known: Any, change: dict[str, Any]) -> Any:
    """Return the changed variable; a stored value is kept only if that reveals nothing new.

    `known` is a string if it is secret, an object if it is plain.
    """
    given = {key: value for key, value in change.items() if value is not None}
    is_plain = isinstance(known, dict)
    mark = given.get("secret", not is_plain)
    if known is None or change.keys() - {"secret"} or not isinstance(mark, bool):
        return given
    if mark:
        return known["value"] if is_plain else known
    return known if is_plain else given
