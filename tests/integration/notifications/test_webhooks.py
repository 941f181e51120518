"""Webhooks to real receivers, among them ones that misbehave in every way."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from aweigh.core.settings import Settings
from aweigh.notifications.channel import Channel
from aweigh.notifications.senders.guarded_network import GuardedNetwork, Resolver
from aweigh.notifications.senders.senders import Senders
from aweigh.notifications.senders.webhook import MOST_READ, WebhookSender
from tests.support.notifying import (
    LOOPBACK,
    SECRET,
    channel,
    failure,
    notification,
    server_tls,
    unchecked,
    webhook,
)
from tests.support.receivers import Answer, Misbehaviour, Request, receiver
from tests.support.tls import certificates

OLD_SECRET = "whsec_" + "b2xkLXNlY3JldC1vZi10aGUtY2hhbm5lbA=="


def verified(request: Request, secret: str) -> object:
    return Webhook(secret).verify(request.body, dict(request.headers))


async def test_receiver_verifies_the_signature(senders: Senders) -> None:
    async with receiver() as hooks:
        got = await senders.send(webhook(f"{hooks.url}/in"), (SECRET,), notification())

        (request,) = hooks.requests
    assert (got.status, got.response) == (200, "ok")
    assert verified(request, SECRET) == {"type": "deployment.failed"}
    assert (request.method, request.path) == ("POST", "/in")
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["content-type"] == "application/json"


async def test_both_secrets_verify_during_a_rotation(senders: Senders) -> None:
    async with receiver() as hooks:
        await senders.send(webhook(hooks.url), (SECRET, OLD_SECRET), notification())

        (request,) = hooks.requests
    assert verified(request, SECRET) == verified(request, OLD_SECRET)
    other = Webhook("whsec_" + "bm90LXRoZS1zZWNyZXQtb2YtdGhpcw==")
    with pytest.raises(WebhookVerificationError):
        other.verify(request.body, dict(request.headers))


async def test_text_beyond_ascii_is_signed_as_it_is_sent(senders: Senders) -> None:
    payload = json.dumps({"name": "Käse ☃ \u2028"}, ensure_ascii=False)
    async with receiver() as hooks:
        await senders.send(webhook(hooks.url), (SECRET,), notification(payload=payload))

        assert verified(hooks.requests[0], SECRET) == json.loads(payload)


async def test_attempt_after_failures_has_the_same_id(senders: Senders) -> None:
    answers: Iterator[Answer | Misbehaviour] = iter(
        [Answer(500, body=b"down"), Misbehaviour.RESET, Answer(204, body=b"")]
    )
    async with receiver(lambda request: next(answers)) as hooks:
        there = webhook(hooks.url)
        first = await failure(senders.send(there, (SECRET,), notification()))
        second = await failure(senders.send(there, (SECRET,), notification()))
        got = await senders.send(there, (SECRET,), notification())

        assert {request.headers["webhook-id"] for request in hooks.requests} == {"msg_1"}
    assert (first.receipt.status, first.receipt.response) == (500, "down")
    assert str(first) == "127.0.0.1 answered 500."
    assert str(second) == "127.0.0.1 closed the connection without a complete answer."
    assert not first.is_final
    assert not second.is_final
    assert got.status == 204


async def test_gone_ends_the_channel(senders: Senders) -> None:
    async with receiver(lambda request: Answer(410)) as hooks:
        error = await failure(senders.send(webhook(hooks.url), (SECRET,), notification()))

    assert error.is_gone
    assert error.is_final


async def test_retry_after_is_passed_on(senders: Senders) -> None:
    async with receiver(lambda request: Answer(429, {"Retry-After": "120"})) as hooks:
        error = await failure(senders.send(webhook(hooks.url), (SECRET,), notification()))

    assert error.retry_after == 120
    assert not error.is_final


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(senders: Senders, status: int) -> None:
    async with receiver() as inner:
        location = {"Location": f"{inner.url}/latest/meta-data/"}
        async with receiver(lambda request: Answer(status, location)) as hooks:
            error = await failure(senders.send(webhook(hooks.url), (SECRET,), notification()))

        assert inner.requests == []
    assert f"answered {status} and points to {inner.url}/latest/meta-data/" in str(error)


async def test_answer_without_end_is_read_up_to_a_limit(senders: Senders) -> None:
    async with receiver(lambda request: Misbehaviour.ENDLESS) as hooks:
        got = await senders.send(webhook(hooks.url), (SECRET,), notification())

    assert got.status == 200
    assert got.response == "x" * 1024
    assert MOST_READ == 64 * 1024


@pytest.fixture
def quick() -> Iterator[WebhookSender]:
    resolver = Resolver()
    yield WebhookSender(GuardedNetwork(LOOPBACK, resolver), ssl.create_default_context())
    resolver.close()


async def test_receiver_that_never_answers_is_given_up(quick: WebhookSender) -> None:
    async with receiver(lambda request: Misbehaviour.SILENT) as hooks:
        error = await failure(quick.send(hooks.url, (SECRET,), notification(), [], seconds=0.5))
        await hooks.received(1)
    await quick.close()

    assert str(error) == "127.0.0.1 did not answer within 0.5 seconds."
    assert error.receipt.status is None


async def test_slow_body_counts_by_its_status(quick: WebhookSender) -> None:
    async with receiver(lambda request: Misbehaviour.SLOW) as hooks:
        got = await quick.send(hooks.url, (SECRET,), notification(), [], seconds=2)
    await quick.close()

    assert got.status == 200


async def test_hanging_receiver_does_not_hold_up_another(quick: WebhookSender) -> None:
    async with receiver(lambda request: Misbehaviour.SILENT) as hanging, receiver() as hooks:
        waiting = [
            asyncio.ensure_future(
                failure(quick.send(hanging.url, (SECRET,), notification(), [], seconds=60))
            )
            for _ in range(50)
        ]
        await hanging.received(50)
        for _ in range(20):
            await quick.send(hooks.url, (SECRET,), notification(), [])
        assert not any(one.done() for one in waiting)
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
    await quick.close()


async def test_connection_is_used_again(senders: Senders) -> None:
    async with receiver() as hooks:
        for _ in range(5):
            await senders.send(webhook(hooks.url), (SECRET,), notification())

        assert (len(hooks.requests), hooks.connections) == (5, 1)


async def test_certificate_is_verified(tls: ssl.SSLContext) -> None:
    senders = Senders(Settings.model_validate({"private_targets": ["127.0.0.1"]}))
    async with receiver(tls=tls) as hooks:
        got = await senders.send(webhook(hooks.url), (SECRET,), notification())
    await senders.close()

    assert got.status == 200


async def test_certificate_of_an_unknown_authority_is_rejected(
    senders: Senders, tmp_path: Path
) -> None:
    async with receiver(tls=server_tls(certificates(tmp_path))) as hooks:
        error = await failure(senders.send(webhook(hooks.url), (SECRET,), notification()))

        assert hooks.requests == []
    assert "The TLS certificate of 127.0.0.1 was rejected: " in str(error)


async def test_expired_certificate_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificates(tmp_path, expired=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    senders = Senders(Settings.model_validate({"private_targets": ["127.0.0.1"]}))
    async with receiver(tls=server_tls(made)) as hooks:
        error = await failure(senders.send(webhook(hooks.url), (SECRET,), notification()))

        assert hooks.requests == []
    await senders.close()
    assert str(error) == ("The TLS certificate of 127.0.0.1 was rejected: certificate has expired.")


async def test_proxies_of_the_environment_are_not_used(
    senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as proxy, receiver() as hooks:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        await senders.send(webhook(hooks.url), (SECRET,), notification())

        assert (len(proxy.requests), len(hooks.requests)) == (0, 1)


async def test_no_error_shows_a_secret(senders: Senders) -> None:
    def echo(request: Request) -> Answer:
        said = f"{request.path} {SECRET}"
        return Answer(302, {"Location": f"http://x.test{request.path}"}, said.encode())

    async with receiver(echo) as hooks:
        url = f"{hooks.url}/path-token-1?key=query-token-1"
        error = await failure(senders.send(webhook(url), (SECRET,), notification()))

    told = f"{error} {error.receipt.response}"
    for secret in ("path-token-1", "query-token-1", SECRET):
        assert secret not in told


@pytest.mark.parametrize("kind", ["webhook", "gotify"])
async def test_port_that_nobody_listens_on_is_told(senders: Senders, kind: str) -> None:
    async with receiver() as hooks:
        url = hooks.url
    gotify = channel("gotify", url="https://push.test", token="AbCdEf1")
    target: Channel = webhook(url) if kind == "webhook" else unchecked(gotify, url=url)
    error = await failure(senders.send(target, (SECRET,), notification()))

    assert str(error) == "127.0.0.1 refuses connections."
    assert error.receipt.status is None
    assert not error.is_final
