"""What no error of a channel may show."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from aweigh.notifications.channel import Channel
from aweigh.notifications.channel_secrets import channel_secrets

CHANNEL: TypeAdapter[Channel] = TypeAdapter(Channel)
TOKEN = "123456789:AAabcdefghijklmnopqrstuvwxyz012345"


@pytest.mark.parametrize(
    ("fields", "hidden", "shown"),
    [
        ({"kind": "slack", "url": "https://hooks.slack.com/services/T123456/B123456/abcdefgh"},
         {"T123456", "B123456", "abcdefgh"}, {"services", "hooks.slack.com"}),
        ({"kind": "webhook", "url": "https://hooks.example.com/p%40ssword?key=k123456",
          "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
         {"p%40ssword", "p@ssword", "k123456", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
         {"hooks.example.com"}),
        ({"kind": "apprise", "url": "zulip://bot@org.example.com/token12"},
         {"token12", "bot"}, {"org.example.com"}),
        ({"kind": "apprise", "url": "slack://T123456/B12345/#ops?token=xoxb-123"},
         {"T123456", "B12345", "#ops", "xoxb-123"}, {"slack"}),
        ({"kind": "telegram", "token": TOKEN, "chat": "-100"}, {TOKEN}, {"-100"}),
        ({"kind": "email", "host": "smtp.example.com", "username": "me", "password": "hunter22",
          "from": "a@example.com", "to": ["b@example.com"]},
         {"hunter22"}, {"smtp.example.com", "b@example.com"}),
    ],
)  # fmt: skip
def test_secrets_are_known_but_not_the_host(
    fields: dict[str, Any], hidden: set[str], shown: set[str]
) -> None:
    found = set(channel_secrets(CHANNEL.validate_python({"name": "ops", **fields})))

    assert hidden <= found
    assert not shown & found
