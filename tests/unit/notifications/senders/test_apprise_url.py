"""The addresses that apprise is given: each part quoted, and nothing added by a user."""

from typing import Any

import pytest

from aweigh.notifications.channel import Channel
from aweigh.notifications.senders.apprise_url import apprise_url
from tests.support.notifying import channel as valid_channel
from tests.support.notifying import unchecked

TEAMS = (
    "https://prod-1.westeurope.logic.azure.com:443/workflows/0123abc/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a%2Bb-c"
)


VALID: dict[str, dict[str, str]] = {
    "slack": {"url": "https://hooks.slack.com/services/T12345678/B12345678/abcDEFghiJKL"},
    "discord": {"url": "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U7"},
    "teams": {"url": TEAMS},
    "telegram": {"token": "123456789:AAabcdefghijklmnopqrstuvwxyz012345", "chat": "-100123"},
    "ntfy": {"url": "https://ntfy.sh/deploys", "token": "tk_1"},
    "pushover": {"user": "u" * 30, "token": "t" * 30},
    "gotify": {"url": "https://push.example.com", "token": "AbCdEf.1234"},
    "mattermost": {"url": "https://chat.example.com/hooks/xyzkey123456"},
    "matrix": {"url": "https://m.example.com", "token": "syt_1", "room": "!r:example.com"},
    "apprise": {"url": "zulip://bot@org/token"},
}


def channel(kind: str, **fields: Any) -> Channel:
    return unchecked(valid_channel(kind, **VALID[kind]), **fields)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (channel("slack", url="https://hooks.slack.com/services/T1/B2/c3"),
         "slack://T1/B2/c3/?image=no&footer=no&mode=hook"),
        (channel("slack", url="https://hooks.slack-gov.com/services/T1/B2/c3"),
         "slack://T1/B2/c3/?image=no&footer=no&mode=gov-hook"),
        (channel("discord", url="https://discord.com/api/webhooks/12/a-b_c"),
         "discord://12/a-b_c/?image=no&avatar=no&footer=no"),
        (channel("teams", url=TEAMS),
         "workflows://prod-1.westeurope.logic.azure.com:443/0123abc/a%2Bb-c/"
         "?image=no&pa=no&wrap=yes&ver=2016-06-01"),
        (channel("telegram", token="12:ab_c", chat="-100"),
         "tgram://12:ab_c/-100/?image=no&detect=no&preview=no"),
        (channel("telegram", token="12:ab_c", chat="@ops"),
         "tgram://12:ab_c/%40ops/?image=no&detect=no&preview=no"),
        (channel("ntfy", url="https://ntfy.sh/deploys", token="tk_1"),
         "ntfys://tk_1@ntfy.sh/deploys/?image=no&mode=private&auth=token"),
        (channel("ntfy", url="http://10.0.0.5:8080/deploys", token=""),
         "ntfy://10.0.0.5:8080/deploys/?image=no&mode=private"),
        (channel("pushover", user="u" * 30, token="t" * 30),
         f"pover://{'u' * 30}@{'t' * 30}/?image=no"),
        (channel("gotify", url="https://push.example.com/base", token="A.b"),
         "gotifys://push.example.com/base/A.b/?image=no"),
        (channel("mattermost", url="https://chat.example.com/team/hooks/key1"),
         "mmosts://chat.example.com/team/key1/?image=no"),
        (channel("matrix", url="https://m.example.com", token="s/t", room="!r:example.com"),
         "matrixs://s%2Ft@m.example.com/%21r%3Aexample.com/"
         "?image=no&mode=off&discovery=no&e2ee=no&hsreq=no"),
        (channel("apprise", url="zulip://bot@org/token"), "zulip://bot@org/token"),
    ],
)  # fmt: skip
def test_channel_is_written_as_apprise_knows_it(given: Channel, expected: str) -> None:
    assert apprise_url(given) == expected


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("slack", {"url": "https://hooks.slack.com/services/T1/B2"}, "url"),
        ("slack", {"url": "https://hooks.slack.com.evil.example/services/T1/B2/c3"}, "url"),
        ("slack", {"url": "https://hooks.slack.com/services/T1/B2/c3?template=/etc/passwd"}, "url"),
        ("discord", {"url": "https://discord.com/api/webhooks/12/a?template=file:///x"}, "url"),
        ("discord", {"url": "https://discord.com.evil.example/api/webhooks/12/a"}, "url"),
        ("teams", {"url": TEAMS.replace("logic.azure.com", "evil.example")}, "url"),
        ("teams", {"url": TEAMS.partition("&sig=")[0]}, "url"),
        ("telegram", {"token": "abc", "chat": "1"}, "token"),
        ("telegram", {"token": "1:a/../x", "chat": "1"}, "token"),
        ("telegram", {"token": "1:a", "chat": "1/2?template=x"}, "chat"),
        ("ntfy", {"url": "https://ntfy.sh/a/b"}, "url"),
        ("ntfy", {"url": "https://ntfy.sh/a?attach=file:///etc/passwd"}, "url"),
        ("ntfy", {"url": "ftp://ntfy.sh/a"}, "url"),
        ("pushover", {"user": "short", "token": "t" * 30}, "user"),
        ("pushover", {"user": "u" * 30, "token": "t@x"}, "token"),
        ("gotify", {"url": "https://push.example.com", "token": "a/b"}, "token"),
        ("gotify", {"url": "https://u:p@push.example.com", "token": "a"}, "url"),
        ("gotify", {"url": "https://push.example.com:99999", "token": "a"}, "url"),
        ("mattermost", {"url": "https://chat.example.com/a/b"}, "url"),
        ("matrix", {"url": "https://m.example.com/x", "token": "t", "room": "!r:x"}, "url"),
        ("matrix", {"url": "https://m.example.com", "token": "t", "room": "@u:x"}, "room"),
        ("apprise", {"url": "json://example.com"}, "url"),
    ],
)  # fmt: skip
def test_field_of_another_form_is_named(kind: str, fields: dict[str, str], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} "):
        apprise_url(channel(kind, **fields))
