"""Mail by a real SMTP server."""

import email
import email.policy
import ssl
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.smtp import Envelope

from aweigh.notifications.channel import Channel
from tests.support.notifying import channel, failure, notification, people
from tests.support.receivers import mail_server


def mailbox(**fields: Any) -> Channel:
    return channel("email", **{
        "host": "mail.test", "port": 587, "from": "aweigh@example.com",
        "to": ["ann@example.com", "bob@example.com"],
    } | fields)  # fmt: skip


def read(envelope: Envelope) -> EmailMessage:
    content = cast(bytes, envelope.content)
    return email.message_from_bytes(content, policy=email.policy.default)


async def test_one_mail_goes_to_all_recipients_over_starttls(tls: ssl.SSLContext) -> None:
    async with mail_server(tls) as server:
        got = await people(server.port).send(mailbox(), notification())

        (envelope,) = server.envelopes
    assert (got.status, got.response) == (250, "queued as 42")
    assert envelope.mail_from == "aweigh@example.com"
    assert envelope.rcpt_tos == ["ann@example.com", "bob@example.com"]
    told = read(envelope)
    assert told["From"] == "Aweigh <aweigh@example.com>"
    assert told["Subject"] == "Shop 1.2 was not deployed: unhealthy"
    assert told.get_content().splitlines()[:4] == ["The health check failed.", "", "first", "last"]
    assert told["Auto-Submitted"] == "auto-generated"


async def test_mails_of_one_deployment_thread_and_repetitions_have_one_id(
    tls: ssl.SSLContext,
) -> None:
    async with mail_server(tls) as server:
        for message_id in ("msg_1", "msg_1", "msg_2"):
            await people(server.port).send(mailbox(), notification(id=message_id))

        told = [read(envelope) for envelope in server.envelopes]
    assert {one["References"] for one in told} == {"<dep_1@example.com>"}
    assert [one["Message-ID"] for one in told] == [
        "<msg_1@example.com>", "<msg_1@example.com>", "<msg_2@example.com>"
    ]  # fmt: skip


async def test_long_answers_count_as_what_they_are(tls: ssl.SSLContext) -> None:
    async with mail_server(tls) as server:
        server.data_answer = "\r\n".join([*["250-" + "x" * 490] * 2_000, "250 queued"])
        got = await people(server.port).send(mailbox(), notification())

        server.data_answer = "\r\n".join([*["451-" + "y" * 490] * 2_000, "451 later"])
        error = await failure(people(server.port).send(mailbox(), notification()))
    assert (got.status, got.response[:3], len(got.response)) == (250, "xxx", 1024)
    assert (error.receipt.status, error.is_final) == (451, False)


async def test_tls_from_the_first_byte_and_a_login(tls: ssl.SSLContext) -> None:
    to = mailbox(security="tls", port=465, username="aweigh", password="hunter22")
    async with mail_server(tls, implicit=True, password=b"hunter22") as server:
        await people(server.port).send(to, notification())

        assert (len(server.envelopes), server.logins) == (1, [b"aweigh"])


async def test_wrong_password_may_be_corrected_later(tls: ssl.SSLContext) -> None:
    to = mailbox(username="aweigh", password="wrong-one-1")
    async with mail_server(tls, password=b"hunter22") as server:
        error = await failure(people(server.port).send(to, notification()))

        assert server.envelopes == []
    assert error.receipt.status == 535
    assert not error.is_final
    assert "wrong-one-1" not in f"{error} {error.receipt.response}"


async def test_server_without_tls_gets_neither_password_nor_mail(tls: ssl.SSLContext) -> None:
    """The server offers no STARTTLS on a connection that is TLS already."""
    to = mailbox(security="tls", port=465)
    async with mail_server(tls) as plain:  # not TLS from the first byte
        error = await failure(people(plain.port).send(to, notification()))

        assert plain.envelopes == []
    assert "TLS with mail.test failed" in str(error)


async def test_server_that_offers_no_starttls_gets_nothing(tls: ssl.SSLContext) -> None:
    async with mail_server(None) as server:
        error = await failure(people(server.port).send(mailbox(), notification()))

        assert server.envelopes == []
    assert "STARTTLS extension not supported" in str(error)


async def test_unknown_certificate_is_rejected(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mail_server(tls) as server:
        monkeypatch.delenv("SSL_CERT_FILE")
        error = await failure(people(server.port).send(mailbox(), notification()))

        assert server.envelopes == []
    assert "The TLS certificate of mail.test was rejected: " in str(error)


async def test_nobody_gets_a_mail_if_one_has_to_be_asked_again(tls: ssl.SSLContext) -> None:
    async with mail_server(tls) as server:
        server.refuse["bob@example.com"] = "451 greylisted, come back"
        error = await failure(people(server.port).send(mailbox(), notification()))
        assert server.envelopes == []
        server.refuse.clear()
        await people(server.port).send(mailbox(), notification())

        (envelope,) = server.envelopes
    assert str(error) == "mail.test answered 451 greylisted, come back"
    assert not error.is_final
    assert len(envelope.rcpt_tos) == 2


async def test_others_get_the_mail_if_one_address_does_not_exist(tls: ssl.SSLContext) -> None:
    async with mail_server(tls) as server:
        server.refuse["bob@example.com"] = "550 no such user"
        got = await people(server.port).send(mailbox(), notification())

        (envelope,) = server.envelopes
    assert envelope.rcpt_tos == ["ann@example.com"]
    assert got.remark == "Refused for bob@example.com: 550 no such user"


@pytest.mark.parametrize(("answer", "is_final"), [("554 spam", True), ("452 disk full", False)])
async def test_refusal_of_the_mail_is_final_only_if_the_server_says_so(
    tls: ssl.SSLContext, answer: str, is_final: bool
) -> None:
    async with mail_server(tls) as server:
        server.data_answer = answer
        error = await failure(people(server.port).send(mailbox(), notification()))

    assert (error.receipt.status, error.is_final) == (int(answer[:3]), is_final)


@pytest.mark.parametrize(
    "title", ["x\r\nBcc: all@example.com", "x\nX-Evil: 1", "x\r\n\r\nbody", "Käse ☃" * 30]
)
async def test_title_adds_no_header(tls: ssl.SSLContext, title: str) -> None:
    async with mail_server(tls) as server:
        sending = people(server.port).send(mailbox(), notification(title=title))
        if title.isprintable():
            await sending
        else:  # messages have none of these: the mail refuses them once more
            error = await failure(sending)
            assert error.is_final

        told = [read(envelope) for envelope in server.envelopes]
    assert all(one["Bcc"] is None and one["X-Evil"] is None for one in told)
    assert [one["Subject"] for one in told] == [title] * title.isprintable()


async def test_server_may_search_the_mail_for_longer_than_it_may_take_to_talk(
    tls: ssl.SSLContext,
) -> None:
    async with mail_server(tls) as server:
        server.scans = 4
        got = await people(server.port, seconds=3).send(mailbox(), notification())

    assert got.status == 250


async def test_server_that_never_takes_the_mail_is_left_without_a_farewell(
    tls: ssl.SSLContext,
) -> None:
    """It would not answer that either."""
    async with mail_server(tls) as server:
        server.scans = 1000
        sending = people(server.port, seconds=5, scanning=0.5).send(mailbox(), notification())
        error = await failure(sending)

    assert str(error) == "mail.test did not answer in time."
