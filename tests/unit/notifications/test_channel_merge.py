"""Changes of channels: what stays, and that credentials do not follow to another server."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from aweigh.core.errors import Invalid
from aweigh.notifications.channel import Email
from aweigh.notifications.channel_merge import merged
from aweigh.notifications.chats import Gotify, Ntfy
from tests.support.channels import EMAIL, channel_of

PASSWORD = {"username": "aweigh", "password": "battery-staple"}


def test_what_is_not_named_stays_and_null_removes() -> None:
    known = channel_of(events=["deployment.failed"], labels={"team": "a", "tier": "1"})

    changed = merged(known, {"events": None, "labels": {"tier": None}, "enabled": False})

    assert changed == channel_of(labels={"team": "a"}, enabled=False)


def test_a_kind_stays() -> None:
    with pytest.raises(Invalid, match="cannot be changed"):
        merged(channel_of(), {"kind": "slack"})
    assert merged(channel_of(), {"kind": "webhook"}) == channel_of()


@pytest.mark.parametrize(
    ("change", "keeps"),
    [
        ({"url": "https://ntfy.sh/other"}, True),
        ({"url": "https://ntfy.sh:443/other"}, True),
        ({"name": "x"}, True),
        ({"url": "https://ntfy.example.com/deployments"}, False),
        ({"url": "http://ntfy.sh/deployments"}, False),
        ({"url": "https://ntfy.sh:8443/deployments"}, False),
    ],
)
def test_a_token_does_not_follow_to_another_server(change: dict[str, Any], keeps: bool) -> None:
    known = channel_of(kind="ntfy", url="https://ntfy.sh/deployments", token="tk_secret")

    changed = merged(known, change)

    assert isinstance(changed, Ntfy)
    assert changed.token == (SecretStr("tk_secret") if keeps else None)


def test_a_token_that_is_needed_is_given_anew() -> None:
    known = channel_of(kind="gotify", url="https://a.example.com", token="Asecret")

    with pytest.raises(ValidationError, match="token"):
        merged(known, {"url": "https://b.example.com"})

    changed = merged(known, {"url": "https://b.example.com", "token": "Bsecret"})
    assert isinstance(changed, Gotify)
    assert changed.token == SecretStr("Bsecret")


def test_a_password_does_not_follow_to_another_server() -> None:
    known = channel_of(**EMAIL, **PASSWORD)

    kept = merged(known, {"to": ["dev@example.com"]})
    moved = merged(known, {"host": "mail.example.org"})

    assert isinstance(kept, Email)
    assert isinstance(moved, Email)
    assert kept.password == SecretStr("battery-staple")
    assert (moved.username, moved.password) == (None, None)
    with pytest.raises(ValidationError, match="password"):
        merged(known, {"host": "mail.example.org", "username": "aweigh"})
