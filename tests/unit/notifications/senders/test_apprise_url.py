"""The addresses that apprise is given: each part quoted, and nothing added by a user."""

from typing import Any

import pytest

from aweigh.notifications.channel import Channel
from aweigh.notifications.senders.apprise_url import apprise_url
from tests.support.notifying import channel as channel_of

TEAMS = (
    "https://prod-1.westeurope.logic.azure.com:443/workflows/0123abc/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a%2Bb-c"
)
BOT = "12:" + "ab_c" * 5
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
    given = VALID[kind] | fields
    return channel_of(kind, **{name: value for name, value in given.items() if value is not None})


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
        (channel("telegram", token=BOT, chat="-100"),
         f"tgram://{BOT}/-100/?image=no&detect=no&preview=no"),
        (channel("telegram", token=BOT, chat="@oops"),
         f"tgram://{BOT}/%40oops/?image=no&detect=no&preview=no"),
        (channel("ntfy", url="https://ntfy.sh/deploys", token="tk_1"),
         "ntfys://tk_1@ntfy.sh/deploys/?image=no&mode=private&auth=token"),
        (channel("ntfy", url="http://10.0.0.5:8080/deploys", token=None),
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
        (channel("matrix", url="http://M.example.com.:8008/", token="t", room="#ops:example.com"),
         "matrix://t@m.example.com:8008/%23ops%3Aexample.com/"
         "?image=no&mode=off&discovery=no&e2ee=no&hsreq=no"),
        (channel("gotify", url="https://[2001:DB8::1]:8443/a%2Fb", token="A.b"),
         "gotifys://[2001:db8::1]:8443/a%252Fb/A.b/?image=no"),
        (channel("apprise", url="zulip://bot@org/token"), "zulip://bot@org/token"),
        (channel("apprise", url="matrixs://t@m.example.com/#ops:example.com?e2ee=no&to=#b"),
         "matrixs://t@m.example.com/%23ops:example.com?e2ee=no&to=#b"),
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
        ("mattermost", {"url": "https://chat.example.com/a/b"}, "url"),
        ("mattermost", {"url": "https://chat.example.com/hooks/a?template=x"}, "url"),
    ],
)  # fmt: skip
def test_address_of_another_form_is_named(kind: str, fields: dict[str, str], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} "):
        apprise_url(channel(kind, **fields))
