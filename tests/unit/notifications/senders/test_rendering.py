"""Each receiver's markup is escaped, nobody is mentioned, and nothing is too long."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.delivery import Notification
from aweigh.notifications.senders.rendering import render

RENDERED = [kind for kind in ChannelKind if kind is not ChannelKind.WEBHOOK]
MENTIONING = [
    ChannelKind.DISCORD, ChannelKind.MATTERMOST, ChannelKind.TEAMS, ChannelKind.TELEGRAM,
    ChannelKind.MATRIX, ChannelKind.APPRISE,
]  # fmt: skip
#: What receivers take at most; see their documentation.
MOST = {ChannelKind.DISCORD: 2000, ChannelKind.TELEGRAM: 4096, ChannelKind.PUSHOVER: 1024,
        ChannelKind.NTFY: 4096, ChannelKind.MATTERMOST: 4000}  # fmt: skip


def told(**fields: Any) -> Notification:
    values: dict[str, Any] = {"title": "Shop 1 is live", "text": "one\ntwo"} | fields
    return Notification(id="msg_1", at=datetime.now(UTC), payload="{}", **values)


def whole(kind: ChannelKind, notification: Notification) -> str:
    made = render(kind, notification)
    return f"{made.title}\n{made.body}"


@pytest.mark.parametrize("kind", MENTIONING)
@pytest.mark.parametrize("mention", ["@everyone", "@here", "@channel", "@all", "@room", "<@123>"])
@pytest.mark.parametrize("field", ["title", "text", "log"])
def test_nobody_is_mentioned(kind: ChannelKind, mention: str, field: str) -> None:
    value = (mention,) if field == "log" else mention

    assert not re.search(r"@\w", whole(kind, told(**{field: value})))


@pytest.mark.parametrize("text", ["<!channel>", "<@U123>", "<https://evil.example|Slack>", "&lt;"])
def test_slack_sees_no_control_sequence(text: str) -> None:
    body = render(ChannelKind.SLACK, told(text=text, log=(text,))).body

    assert not re.search(r"[<>]|&(?!(?:amp|lt|gt);)", body)


@pytest.mark.parametrize("kind", [ChannelKind.DISCORD, ChannelKind.MATTERMOST, ChannelKind.TEAMS])
@pytest.mark.parametrize("sign", list("\\`*_~|[]()#>"))
def test_markdown_is_escaped(kind: ChannelKind, sign: str) -> None:
    made = whole(kind, told(title=f"a{sign}b", text=f"c{sign}d"))

    assert f"a\\{sign}b" in made
    assert f"c\\{sign}d" in made


@pytest.mark.parametrize("kind", [ChannelKind.DISCORD, ChannelKind.MATTERMOST])
def test_log_cannot_end_its_block_of_code(kind: ChannelKind) -> None:
    assert whole(kind, told(log=("```", "**bold**"))).count("```") == 2


@pytest.mark.parametrize("text", ["<at>Ann</at>", "{{DATE(2026-01-01T00:00:00Z)}}"])
def test_adaptive_card_sees_no_mention_and_no_template(text: str) -> None:
    made = whole(ChannelKind.TEAMS, told(title=text, text=text))

    assert "<at" not in made
    assert "{{" not in made


@pytest.mark.parametrize("text", ["<b>x</b>", '<a href="https://evil.example">x</a>', "</pre>"])
def test_telegram_sees_no_html_but_ours(text: str) -> None:
    made = render(ChannelKind.TELEGRAM, told(title=text, text=text, log=(text,))).body

    assert re.findall(r"<[^>]*>", made) == ["<b>", "</b>", "<pre>", "</pre>"]


@pytest.mark.parametrize("kind", RENDERED)
def test_link_cannot_leave_its_place(kind: ChannelKind) -> None:
    url = 'https://a.example/x)"><b>[y](|z)'
    made = whole(kind, told(links=(("Log", url),)))

    assert not re.search(r'[)"><|]<b>|\[y\]', made)


@pytest.mark.parametrize("kind", RENDERED)
def test_everything_arrives_if_there_is_room(kind: ChannelKind) -> None:
    made = whole(kind, told(log=("first", "last"), links=(("Log", "https://a.example/log"),)))

    for part in ("Shop 1 is live", "one", "two", "first", "last", "Log", "https://a.example/log"):
        assert part in made


@pytest.mark.parametrize(("kind", "most"), MOST.items())
def test_oldest_lines_of_the_log_are_cut_first(kind: ChannelKind, most: int) -> None:
    log = tuple(f"{number}:" + "x" * 250 for number in range(30))
    made = whole(kind, told(log=log, links=(("Log", "https://a.example/log"),)))

    assert len(made.encode() if kind is ChannelKind.NTFY else made) <= most
    assert "29:" in made
    assert "\n0:" not in made
    assert "https://a.example/log" in made


@pytest.mark.parametrize("kind", MOST)
@given(text=st.text(max_size=9000), title=st.text(max_size=120))
def test_no_message_is_too_long(kind: ChannelKind, text: str, title: str) -> None:
    made = render(kind, told(title=title, text=text, links=(("Log", "https://a.example/l"),)))
    body = made.body.encode() if kind is ChannelKind.NTFY else made.body

    assert len(body) <= MOST[kind]
