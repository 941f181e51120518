"""From the event to the receiver: relay, Temporal, control worker and sender, all real."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from api.relay import Relay
from aweigh.core.settings import Settings
from tests.support.api_caller import Caller, open_api
from tests.support.installation import start, succeed
from tests.support.receivers import Answer, Receiver, Request, receiver
from tests.support.stage import start_temporal
from worker.api import _Connection
from worker.control import work
from worker.installation import install
from worker.store import open_store


@dataclass(frozen=True)
class Installation:
    caller: Caller
    #: Where notifications arrive.
    receiver: Receiver

    async def channel(self, **fields: Any) -> dict[str, Any]:
        given = {"name": "ops", "kind": "webhook", "url": f"{self.receiver.url}/hook"} | fields
        answer = await self.caller.call("POST", "/v1/channels", json=given)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def delivered(self, channel: str, number: int) -> list[dict[str, Any]]:
        """The deliveries of a channel once so many have ended, the oldest first."""
        async with asyncio.timeout(300):
            while True:
                page = await self.caller.get(f"/v1/channels/{channel}/deliveries?limit=100")
                found = page["items"][::-1]
                if sum(one["ended_at"] is not None for one in found) >= number:
                    return list(found)
                await asyncio.sleep(0.05)


async def _never(_: Relay) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Installation]:
    # Deployments are not handed over: the tests say what becomes of them, and when.
    monkeypatch.setattr(Relay, "run", _never)
    async with await start_temporal() as temporal, receiver() as listening:
        target = temporal.client.service_client.config.target_host
        values: dict[str, Any] = {
            "temporal_address": target, "private_targets": ["127.0.0.0/8"],
        }  # fmt: skip
        settings = Settings(data=tmp_path, **values)
        await install(settings)
        store, stop = await open_store(settings), asyncio.Event()
        working = asyncio.create_task(work(settings, stop))
        async with open_api(store, tmp_path, connect=_Connection(settings), **values) as caller:
            yield Installation(caller, listening)
        stop.set()
        await working
        await store.close()


async def test_each_event_arrives_once_signed_and_in_order(installation: Installation) -> None:
    channel = await installation.channel()
    shop = await installation.caller.create()
    made = [await installation.caller.deploy(shop) for _ in range(3)]
    for deployment in made:
        await start(installation.caller.store, deployment)
        await succeed(installation.caller.store, deployment)

    found = await installation.delivered(channel["id"], 9)

    told: dict[str, list[str]] = defaultdict(list)
    for request in installation.receiver.requests:
        Webhook(channel["secret"]).verify(request.body, dict(request.headers))
        told[request.json["data"]["id"]].append(request.json["type"])
    kinds = ["deployment.created", "deployment.started", "deployment.succeeded"]
    assert told == dict.fromkeys(made, kinds)
    assert {(one["state"], one["attempts"], one["status"]) for one in found} == {
        ("delivered", 1, 200)
    }
    ids = [request.headers["webhook-id"] for request in installation.receiver.requests]
    assert sorted(ids) == sorted(one["message_id"] for one in found)


async def test_a_test_answers_with_the_receivers_status(installation: Installation) -> None:
    channel = await installation.channel()

    accepted = await installation.caller.call("POST", f"/v1/channels/{channel['id']}/test")
    installation.receiver.behave = lambda _: Answer(status=500, body=b"no")
    refused = await installation.caller.call("POST", f"/v1/channels/{channel['id']}/test")

    assert accepted.status_code == refused.status_code == 200
    assert (accepted.json()["state"], accepted.json()["status"]) == ("delivered", 200)
    said = refused.json()
    assert (said["state"], said["status"], said["response"]) == ("failed", 500, "no")


async def test_a_redelivery_has_the_same_id(installation: Installation) -> None:
    channel = await installation.channel()
    await installation.caller.deploy(await installation.caller.create())
    [first] = await installation.delivered(channel["id"], 1)

    path = f"/v1/channels/{channel['id']}/deliveries/{first['id']}/redeliver"
    assert (await installation.caller.call("POST", path)).status_code == 202

    await installation.delivered(channel["id"], 2)
    one, again = installation.receiver.requests
    assert one.headers["webhook-id"] == again.headers["webhook-id"]
    assert one.body == again.body


async def test_a_receiver_that_is_gone_disables_its_channel(installation: Installation) -> None:
    installation.receiver.behave = lambda _: Answer(status=410)
    channel = await installation.channel()
    await installation.caller.deploy(await installation.caller.create())

    [delivery] = await installation.delivered(channel["id"], 1)

    assert (delivery["state"], delivery["status"]) == ("failed", 410)
    told = await installation.caller.get(f"/v1/channels/{channel['id']}")
    assert told["enabled"] is False
    assert "410" in told["disabled_reason"]


async def test_a_channel_that_fails_does_not_delay_another(installation: Installation) -> None:
    def behave(request: Request) -> Answer:
        return Answer(status=503 if request.path == "/down" else 200)

    installation.receiver.behave = behave
    down = await installation.channel(name="down", url=f"{installation.receiver.url}/down")
    up = await installation.channel()
    shop = await installation.caller.create()
    made = await installation.caller.deploy(shop)
    await start(installation.caller.store, made)
    await succeed(installation.caller.store, made)

    found = await installation.delivered(up["id"], 3)

    assert [one["state"] for one in found] == ["delivered"] * 3
    waiting = await installation.caller.get(f"/v1/channels/{down['id']}/deliveries")
    states = [one["state"] for one in waiting["items"][::-1]]
    assert states[0] in ("sending", "retrying")
    assert states[1:] == ["waiting", "waiting"]
