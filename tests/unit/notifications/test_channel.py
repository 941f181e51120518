"""Channels: what each kind takes, what it shows, and what it keeps to itself."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from api.problems import _fields
from aweigh.core.private_target import PrivateTarget
from aweigh.deployments.deployment import EventKind
from aweigh.notifications.addresses import Endpoint, is_refused
from aweigh.notifications.channel import Channel, Webhook, new_signing_secret, wants
from aweigh.notifications.channel_secrets import channel_secrets
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.secrets.value import REVEAL

URL = "https://hooks.example.com/services/T0AAAAAA/secretsecret?key=othersecret"
KINDS: dict[str, dict[str, Any]] = {
    "webhook": {"url": URL},
    "slack": {"url": URL},
    "discord": {"url": URL},
    "teams": {"url": URL},
    "mattermost": {"url": "http://chat.example.com:8065/hooks/abcdefgh0123"},
    "telegram": {"token": "123456:ABCdefGHIjklMNOpqrSTU", "chat": "-1001234"},
    "email": {
        "host": "Mail.Example.com", "from": "aweigh@example.com", "to": ["ops@example.com"],
        "username": "aweigh", "password": "battery-staple",
    },
    "ntfy": {"url": "https://ntfy.sh/deployments", "token": "tk_abcdef"},
    "pushover": {"user": "u" * 30, "token": "t" * 30},
    "gotify": {"url": "https://gotify.example.com", "token": "Aabcdef.ghi"},
    "matrix": {"url": "https://matrix.org", "token": "syt_abcdef", "room": "!abc:matrix.org"},
    "apprise": {"url": "zulip://bot@org/abcdefghijklmnop"},
}  # fmt: skip
_CHANNEL: TypeAdapter[Channel] = TypeAdapter(Channel)


def channel(kind: str, **fields: Any) -> Channel:
    given = {"name": "ops", "kind": kind} | KINDS[kind] | fields
    return _CHANNEL.validate_python({key: one for key, one in given.items() if one is not None})


def refusal(kind: str, **fields: Any) -> dict[str, str]:
    """The errors by field, as the API answers them."""
    with pytest.raises(ValidationError) as error:
        channel(kind, **fields)
    found = _fields(error.value.errors(include_input=False, include_context=False))
    return {one["field"]: one["message"] for one in found}


def test_every_kind_is_known() -> None:
    assert KINDS.keys() == set(ChannelKind)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("webhook", "hooks.example.com"),
        ("slack", "hooks.example.com"),
        ("mattermost", "chat.example.com:8065"),
        ("telegram", "-1001234"),
        ("email", "ops@example.com"),
        ("ntfy", "ntfy.sh"),
        ("pushover", "pushover.net"),
        ("gotify", "gotify.example.com"),
        ("matrix", "!abc:matrix.org at matrix.org"),
        ("apprise", "zulip://…"),
    ],
)
def test_a_target_shows_nothing_secret(kind: str, target: str) -> None:
    made = channel(kind)

    assert made.target == target
    assert not [secret for secret in channel_secrets(made) if secret in made.target]


@pytest.mark.parametrize("kind", KINDS)
def test_stored_settings_are_the_settings(kind: str) -> None:
    made = channel(kind)

    text = made.model_dump_json(context=REVEAL, by_alias=True)

    assert _CHANNEL.validate_json(text) == made
    shown = made.model_dump_json(by_alias=True)
    assert not [secret for secret in channel_secrets(made) if secret in shown]


@pytest.mark.parametrize(
    "kind", ["webhook", "slack", "discord", "teams", "mattermost", "ntfy", "gotify", "matrix"]
)
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "is not an https:// or http:// address"),
        ("hooks.example.com/x", "is not an https:// or http:// address"),
        ("ftp://hooks.example.com/x", "is not an https:// or http:// address"),
        ("file:///etc/passwd", "is not an https:// or http:// address"),
        ("https:///x", "is not an https:// or http:// address"),
        ("https://hooks.example.com:0/x", "is not an https:// or http:// address"),
        ("https://hooks.example.com:70000/x", "is not an https:// or http:// address"),
        ("https://[::1/x", "is not an https:// or http:// address"),
        ("https://hooks.example.com/a b", "spaces, control characters"),
        ("https://hooks.example.com/ä", "spaces, control characters"),
        ("https://me:secretsecret@hooks.example.com/x", "a user name or a password"),
        ("https://hooks.example.com/x#part", "a fragment"),
        ("https://hooks_example/x", "no valid host name"),
        ("https://-x.example.com/x", "no valid host name"),
        ("http://2130706433/x", "not four decimal numbers"),
        ("http://0177.0.0.1/x", "not four decimal numbers"),
        ("http://0x7f000001/x", "not four decimal numbers"),
        ("http://127.1/x", "not four decimal numbers"),
        ("https://hooks.example.com/" + "x" * 2000, "longer than 2000"),
    ],
)
def test_an_address_that_is_none_is_refused(kind: str, url: str, message: str) -> None:
    found = refusal(kind, url=url)

    assert message in found["url"]
    assert "secretsecret" not in found["url"]


@pytest.mark.parametrize("kind", ["slack", "discord", "teams", "mattermost", "ntfy"])
def test_a_chat_without_a_path_is_refused(kind: str) -> None:
    assert refusal(kind, url="https://hooks.example.com/") == {
        "url": "holds no path; give the whole address"
    }


@pytest.mark.parametrize(
    ("kind", "fields", "field", "message"),
    [
        ("webhook", {"url": None}, "url", "Field required"),
        ("webhook", {"secret": "whsec_no base64"}, "secret", "is not 'whsec_' and base64"),
        ("webhook", {"secret": "whsec_c2hvcnQ="}, "secret", "holds 5 bytes; 24 to 64"),
        ("webhook", {"token": "x"}, "token", "Extra inputs are not permitted"),
        ("webhook", {"name": ""}, "name", "at least 1 character"),
        ("webhook", {"name": "a\nb"}, "name", "cannot be printed"),
        ("webhook", {"events": ["deployment.exploded"]}, "events.0", "Input should be"),
        ("webhook", {"applications": ["Shop!"]}, "applications", "neither the id nor the slug"),
        ("webhook", {"labels": {"A B": "x"}}, "labels", "'A B' is not a label key"),
        ("telegram", {"token": "123"}, "token", "is not the token of a bot"),
        ("telegram", {"token": "1:" + "a" * 20 + "/../x"}, "token", "is not the token of a bot"),
        ("telegram", {"chat": "my chat"}, "chat", "neither the number of a chat nor an @name"),
        ("telegram", {"chat": "1/2?template=x"}, "chat", "neither the number of a chat nor"),
        ("email", {"host": "mail example"}, "host", "no valid host name"),
        ("email", {"port": 0}, "port", "greater than or equal to 1"),
        ("email", {"security": "none"}, "security", "'starttls' or 'tls'"),
        ("email", {"from": "aweigh"}, "from", "is not an e-mail address"),
        ("email", {"from": None}, "from", "Field required"),
        ("email", {"from": "a@example.com\nBcc: b@example.com"}, "from", "is not an e-mail"),
        ("email", {"to": []}, "to", "at least 1 item"),
        ("email", {"to": ["ops@example.com", "a,b@example.com"]}, "to.1", "is not an e-mail"),
        ("email", {"username": None}, "password", "are given together"),
        ("email", {"password": None}, "password", "are given together"),
        ("ntfy", {"url": "https://ntfy.sh/a?x=y"}, "url", "holds a query"),
        ("ntfy", {"url": "https://ntfy.sh/a/b"}, "url", "does not name one topic"),
        ("ntfy", {"url": "https://ntfy.sh/a%2Fb"}, "url", "does not name one topic"),
        ("ntfy", {"url": "https://ntfy.sh/a,b"}, "url", "does not name one topic"),
        ("ntfy", {"token": "two words"}, "token", "is not a token"),
        ("pushover", {"user": "short"}, "user", "30 letters and digits"),
        ("pushover", {"token": "t@x"}, "token", "30 letters and digits"),
        ("gotify", {"token": None}, "token", "Field required"),
        ("gotify", {"token": "a/b"}, "token", "is not the token of an application"),
        ("gotify", {"url": "https://gotify.example.com?x=y"}, "url", "holds a query"),
        ("matrix", {"url": "https://matrix.org/x"}, "url", "holds a path; give the server alone"),
        ("matrix", {"room": "general"}, "room", "is not a room"),
        ("matrix", {"room": "@user:matrix.org"}, "room", "is not a room"),
        ("matrix", {"room": "#a/b:matrix.org"}, "room", "is not a room"),
        ("matrix", {"room": "#ops:matrix.org:8448"}, "room", "is not a room"),
        ("apprise", {"url": "not an address"}, "url", "is not an address of apprise"),
        ("apprise", {"url": "dbus://"}, "url", "is not an address of apprise"),
        ("apprise", {"url": "syslog://local"}, "url", "has a schema that is not allowed"),
        ("apprise", {"url": "file:///etc/passwd"}, "url", "has a schema that is not allowed"),
    ],
)
def test_a_wrong_field_is_named(
    kind: str, fields: dict[str, Any], field: str, message: str
) -> None:
    found = refusal(kind, **fields)

    assert list(found) == [field]
    assert message in found[field]


def test_an_unknown_kind_is_named() -> None:
    for given in ({"name": "x", "kind": "pigeon"}, {"name": "x"}):
        with pytest.raises(ValidationError) as error:
            _CHANNEL.validate_python(given)
        [found] = _fields(error.value.errors(include_input=False, include_context=False))
        assert found["field"] == "kind"


def test_a_secret_is_kept_with_its_prefix() -> None:
    secret = new_signing_secret()

    for given in (secret, secret.removeprefix("whsec_")):
        made = channel("webhook", secret=given)
        assert isinstance(made, Webhook)
        assert made.secret is not None
        assert made.secret.get_secret_value() == secret


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://127.0.0.1/", True),
        ("http://10.0.0.5/", True),
        ("http://10.0.0.5:3000/", False),
        ("http://169.254.169.254/", True),
        ("http://[::1]/", True),
        ("http://[::ffff:127.0.0.1]/", True),
        ("http://[::ffff:8.8.8.8]/", False),
        ("http://localhost/", True),
        ("http://a.localhost/", True),
        ("https://8.8.8.8/", False),
        ("https://hooks.example.com/", False),
    ],
)
def test_a_private_address_is_refused_unless_it_is_allowed(url: str, refused: bool) -> None:
    endpoint = channel("webhook", url=url).endpoint

    assert endpoint is not None
    assert is_refused(endpoint, (PrivateTarget.parse("10.0.0.5:3000"),)) is refused


def test_endpoints_are_what_is_connected_to() -> None:
    assert channel("slack").endpoint == Endpoint("hooks.example.com", 443)
    assert channel("email", port=465, security="tls").endpoint == Endpoint("mail.example.com", 465)
    assert channel("webhook", url="https://[2001:DB8::1]:8443/").target == "[2001:db8::1]:8443"
    assert channel("telegram").endpoint is None


def test_a_channel_wants_what_it_names() -> None:
    made = channel(
        "webhook", events=["deployment.failed"], applications=["shop"], labels={"team": "a"}
    )
    failed, names, labels = EventKind.FAILED, ("app_1", "shop"), {"team": "a", "tier": "1"}

    assert wants(made, failed, names, labels)
    assert not wants(made, EventKind.CREATED, names, labels)
    assert not wants(made, failed, ("app_2", "blog"), labels)
    assert not wants(made, failed, names, {"team": "b"})
    assert wants(channel("webhook"), EventKind.DELETED, (), {})


def test_people_are_told_of_deletions_only_if_they_ask_for_it() -> None:
    asking = channel("slack", events=["deployment.deleted"])

    assert not wants(channel("slack"), EventKind.DELETED, (), {})
    assert wants(channel("slack"), EventKind.FAILED, (), {})
    assert wants(asking, EventKind.DELETED, (), {})
