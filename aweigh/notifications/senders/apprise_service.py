"""Apprise's object for an address; only a child process imports its modules."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any


class NotAccepted(Exception):
    """Apprise takes no such address; the message holds nothing of it."""


def load_service(module: str, url: str) -> Callable[[], Any]:
    """Import what the address needs, and return the function that makes apprise's object for it.

    Raises:
        NotAccepted: of both functions.
    """
    loaded = importlib.import_module(f"apprise.plugins.{module}")
    from apprise.plugins.base import NotifyBase

    schema = url.partition("://")[0].lower()
    for one in vars(loaded).values():
        if isinstance(one, type) and issubclass(one, NotifyBase) and schema in _schemas(one):
            return partial(_made, one, url)
    raise NotAccepted(f"apprise knows no {schema}:// any more")


def _schemas(service: Any) -> set[str]:
    found: set[str] = set()
    for given in (service.protocol, service.secure_protocol):
        found |= {given} if isinstance(given, str) else set(given or ())
    return found


def _made(service: Any, url: str) -> Any:
    from apprise import AppriseAsset

    asset = AppriseAsset(
        app_id="Aweigh", app_desc="Aweigh", app_url="https://github.com/aweigh-deploy/aweigh",
        http_redirects=False, storage_mode="memory", pgp_autogen=False, pem_autogen=False,
    )  # fmt: skip
    try:
        return service(**(service.parse_url(url) or {}), asset=asset)
    except Exception as error:
        name = type(error).__name__
        raise NotAccepted(f"apprise does not accept the address ({name})") from error
