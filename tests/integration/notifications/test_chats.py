"""Chats, as far as apprise speaks to them: each receiver gets what its documentation wants."""

import json
import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aweigh.notifications.channel import Channel
from tests.support.notifying import channel, failure, notification, people
from tests.support.receivers import Answer, Misbehaviour, Request, receiver

SLACK = channel("slack", url="https://hooks.slack.com/services/T12345678/B12345678/abcDEFghiJKL")
DISCORD = channel("discord", url="https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U7")
TEAMS = channel(
    "teams",
    url="https://prod-1.logic.azure.com:443/workflows/0123456789abcdef/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=AbC-signature",
)
TELEGRAM = channel("telegram", token="123456789:AAabcdefghijklmnopqrstuvwxyz012345", chat="-100123")
NTFY = channel("ntfy", url="https://ntfy.sh/deployments", token="tk_abcdefgh")
PUSHOVER = channel("pushover", user="u" * 30, token="t" * 30)
GOTIFY = channel("gotify", url="https://push.test/base", token="AbCdEf.1234")
MATTERMOST = channel("mattermost", url="https://chat.test/hooks/xyzkey123456")
MATRIX = channel(
    "matrix", url="https://matrix.test", token="syt_abcdef_123", room="!room:matrix.test"
)
ZULIP = channel("apprise", url=f"zulip://bot@org/{'A1' * 16}/ops")
ALL = [SLACK, DISCORD, TEAMS, TELEGRAM, NTFY, PUSHOVER, GOTIFY, MATTERMOST, MATRIX, ZULIP]
ids = [str(one.kind) for one in ALL]


def behave(request: Request) -> Answer:
    """Answer as each of them does."""
    if request.headers["host"] == "hooks.slack.com":
        return Answer(body=b"ok")
    if request.path.endswith("/whoami"):
        return Answer(body=b'{"user_id": "@bot:matrix.test"}')
    if "/join/" in request.path:
        return Answer(body=b'{"room_id": "!room:matrix.test"}')
    return Answer(body=b'{"ok": true, "id": "1", "event_id": "$1", "status": 1}')


async def sent(tls: ssl.SSLContext, to: Channel, **fields: Any) -> Request:
    async with receiver(behave, tls) as chat:
        got = await people(chat.port).send(to, notification(**fields))

        assert got.status == 200
        return chat.requests[-1]


async def test_slack_gets_an_attachment(tls: ssl.SSLContext) -> None:
    request = await sent(tls, SLACK)

    assert request.path == "/services/T12345678/B12345678/abcDEFghiJKL"
    assert request.json["mrkdwn"] is False
    (attachment,) = request.json["attachments"]
    assert attachment["title"] == "Shop 1.2 was not deployed: unhealthy"
    assert attachment["text"].split("\n") == [
        "The health check failed.", "", "first", "last", "",
        "<https://aweigh.example/v1/deployments/dep_1/log|Log>",
    ]  # fmt: skip


async def test_discord_gets_its_content(tls: ssl.SSLContext) -> None:
    request = await sent(tls, DISCORD)

    assert request.path == "/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U7"
    assert request.json["content"] == (
        "**Shop 1\\.2 was not deployed: unhealthy**\nThe health check failed\\.\n"
        "```\nfirst\nlast\n```\n[Log](<https://aweigh.example/v1/deployments/dep_1/log>)"
    )


async def test_teams_gets_an_adaptive_card(tls: ssl.SSLContext) -> None:
    request = await sent(tls, TEAMS)

    assert parse_qs(urlsplit(request.path).query)["sig"] == ["AbC-signature"]
    card = request.json["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    assert card["msteams"] == {"width": "full"}
    assert [block["type"] for block in card["body"]] == ["TextBlock", "TextBlock"]
    assert "[Log](https://aweigh.example/v1/deployments/dep_1/log)" in card["body"][1]["text"]


async def test_telegram_gets_its_html(tls: ssl.SSLContext) -> None:
    request = await sent(tls, TELEGRAM, title="a <b> & @ops")

    assert request.path == "/bot123456789:AAabcdefghijklmnopqrstuvwxyz012345/sendMessage"
    assert (request.json["chat_id"], request.json["parse_mode"]) == (-100123, "HTML")
    assert request.json["text"] == (
        "<b>a &lt;b&gt; &amp; @\u200bops</b>\nThe health check failed.\n<pre>first\nlast</pre>\n"
        '<a href="https://aweigh.example/v1/deployments/dep_1/log">Log</a>'
    )


@pytest.mark.parametrize("to", [NTFY, GOTIFY], ids=["ntfy", "gotify"])
async def test_push_server_gets_title_and_message(tls: ssl.SSLContext, to: Channel) -> None:
    request = await sent(tls, to)

    assert request.json["title"] == "Shop 1.2 was not deployed: unhealthy"
    assert request.json["message"].startswith("The health check failed.\n\nfirst\nlast\n")
    if to is NTFY:
        assert request.headers["authorization"] == "Bearer tk_abcdefgh"
        assert request.json["topic"] == "deployments"
    else:
        assert request.headers["x-gotify-key"] == "AbCdEf.1234"
        assert request.path == "/base/message"


async def test_pushover_gets_a_form(tls: ssl.SSLContext) -> None:
    request = await sent(tls, PUSHOVER)

    form = parse_qs(request.body.decode())
    assert (form["user"], form["token"]) == (["u" * 30], ["t" * 30])
    assert form["title"] == ["Shop 1.2 was not deployed: unhealthy"]


async def test_mattermost_gets_its_text(tls: ssl.SSLContext) -> None:
    request = await sent(tls, MATTERMOST)

    assert request.path == "/hooks/xyzkey123456"
    assert request.json["username"] == "Aweigh"
    assert request.json["text"].startswith("**Shop 1\\.2 was not deployed: unhealthy**\n")


async def test_matrix_recognises_a_repetition(tls: ssl.SSLContext) -> None:
    paths = {(await sent(tls, MATRIX)).path for _ in range(2)}

    assert paths == {"/_matrix/client/v3/rooms/%21room%3Amatrix.test/send/m.room.message/msg_1"}


@pytest.mark.parametrize(
    "to",
    [
        channel("matrix", url="https://matrix.test", token="syt_a", room="#ops:matrix.test"),
        channel(
            "apprise",
            url="matrixs://syt_a@matrix.test/#ops:matrix.test?mode=off&e2ee=no&discovery=no",
        ),
    ],
    ids=["matrix", "apprise"],
)
async def test_alias_of_a_matrix_room_is_joined(tls: ssl.SSLContext, to: Channel) -> None:
    async with receiver(behave, tls) as chat:
        await people(chat.port).send(to, notification())

        joined = [one.path for one in chat.requests if "/join/" in one.path]
    assert joined == ["/_matrix/client/v3/join/%23ops%3Amatrix.test"]


async def test_other_service_is_reached_by_its_address(tls: ssl.SSLContext) -> None:
    request = await sent(tls, ZULIP)

    form = parse_qs(request.body.decode())
    assert request.headers["host"] == "org.zulipchat.com"
    assert form["topic"] == ["Shop 1.2 was not deployed: unhealthy"]


@pytest.mark.parametrize("to", ALL, ids=ids)
async def test_nobody_is_mentioned_by_text_from_outside(tls: ssl.SSLContext, to: Channel) -> None:
    evil = "@everyone <!channel> <@U1> <at>Ann</at> ${x} {{DATE(1)}} %0d%0a"
    request = await sent(tls, to, title=evil, text=evil, log=(evil,))

    said = request.body.decode()
    if request.headers["content-type"].startswith("application/json"):
        said = json.dumps(request.json, ensure_ascii=False)
    assert "<!channel>" not in said or to.kind in ("ntfy", "gotify", "matrix")
    if to.kind not in ("slack", "ntfy", "gotify", "pushover"):  # they mention nobody this way
        assert "@everyone" not in said
        assert "%40everyone" not in said


@pytest.mark.parametrize("to", ALL, ids=ids)
async def test_refusal_is_recorded_without_secrets(tls: ssl.SSLContext, to: Channel) -> None:
    def refuse(request: Request) -> Answer:
        said = f"{request.path} {request.headers.get('authorization')}".encode()
        return Answer(403, body=said + request.body)

    async with receiver(refuse, tls) as chat:
        error = await failure(people(chat.port).send(to, notification()))

    assert error.receipt.status == 403
    assert str(error).endswith(" answered 403.")
    assert not error.is_final
    told = f"{error} {error.receipt.response}"
    for secret in ("abcDEFghiJKL", "JHMHI8qBe7bk2ZwO5U7", "AbC-signature", "AAabcdefghijkl",
                   "tk_abcdefgh", "u" * 30, "t" * 30, "AbCdEf.1234", "xyzkey123456", "syt_abcdef",
                   "A1" * 16):  # fmt: skip
        assert secret not in told


@pytest.mark.parametrize("to", ALL, ids=ids)
async def test_rate_limit_is_passed_on_at_once(tls: ssl.SSLContext, to: Channel) -> None:
    async with receiver(lambda request: Answer(429, {"Retry-After": "77"}), tls) as chat:
        error = await failure(people(chat.port).send(to, notification()))

        assert len(chat.requests) == 1
    assert error.retry_after == 77


@pytest.mark.parametrize("to", [SLACK, MATRIX, ZULIP], ids=["slack", "matrix", "zulip"])
async def test_redirects_are_not_followed(tls: ssl.SSLContext, to: Channel) -> None:
    def redirect(request: Request) -> Answer:
        return Answer(307, {"Location": "https://push.test/inside"})

    async with receiver(redirect, tls) as chat:
        error = await failure(people(chat.port).send(to, notification()))

        assert not any(request.path == "/inside" for request in chat.requests)
    assert "answered 307 and points to https://push.test/inside" in str(error)


@pytest.mark.parametrize("how", [Misbehaviour.RESET, Misbehaviour.CLOSED])
async def test_closed_connection_is_told(tls: ssl.SSLContext, how: Misbehaviour) -> None:
    async with receiver(lambda request: how, tls) as chat:
        error = await failure(people(chat.port).send(GOTIFY, notification()))

    assert str(error) == "push.test closed the connection without a complete answer."


async def test_answer_without_end_is_read_up_to_a_limit(tls: ssl.SSLContext) -> None:
    async with receiver(lambda request: Misbehaviour.ENDLESS, tls) as chat:
        got = await people(chat.port).send(GOTIFY, notification())

    assert got.response == "x" * 1024


async def test_status_counts_although_the_body_does_not_end(tls: ssl.SSLContext) -> None:
    async with receiver(lambda request: Misbehaviour.SLOW, tls) as chat:
        got = await people(chat.port, seconds=2).send(GOTIFY, notification())

    assert got.status == 200
    assert got.response.startswith("x")


async def test_unknown_certificate_is_rejected(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver(tls=tls) as chat:
        monkeypatch.delenv("SSL_CERT_FILE")
        error = await failure(people(chat.port).send(GOTIFY, notification()))

        assert chat.requests == []
    assert "The TLS certificate of push.test was rejected: " in str(error)


@pytest.mark.parametrize(
    ("chat", "answered", "field", "expected"),
    [
        (
            TELEGRAM, '{"ok":true,"result":{"message_id":42,"from":{"id":7,"is_bot":tr',
            "reply_parameters", {"message_id": 42, "allow_sending_without_reply": True},
        ),
        (
            MATRIX, '{"event_id": "$first:matrix.test"}',
            "m.relates_to",
            {
                "rel_type": "m.thread", "event_id": "$first:matrix.test", "is_falling_back": True,
                "m.in_reply_to": {"event_id": "$first:matrix.test"},
            },
        ),
        (TELEGRAM, '{"event_id": "$first"}', "reply_parameters", None),
        (MATRIX, '{"message_id": 42}', "m.relates_to", None),
        (MATTERMOST, '{"message_id": 42, "event_id": "$first"}', "reply_parameters", None),
    ],
)  # fmt: skip
async def test_message_refers_to_the_first_one_about_its_deployment(
    tls: ssl.SSLContext, chat: Channel, answered: str, field: str, expected: Any
) -> None:
    async with receiver(behave, tls=tls) as place:
        await people(place.port).send(chat, notification(answered=answered))

        sent = json.loads(place.requests[-1].body)
    assert sent.get(field) == expected
