"""Targets of channels: only those that apprise takes, and that are one receiver, are stored."""

from dataclasses import replace
from typing import Any

import pytest

from aweigh.notifications.senders.address_check import AddressChecks
from aweigh.notifications.senders.child_messages import Acceptance
from tests.support.api_caller import Caller

ZULIP = {"name": "zulip", "kind": "apprise", "url": f"zulip://bot@org/{'A1' * 16}/ops"}
NTFY = {"name": "ntfy", "kind": "ntfy", "url": "https://ntfy.sh/deployments"}


def ask(caller: Caller, checks: AddressChecks) -> None:
    """From now on, have the API ask these about addresses."""
    caller.app.state.context = replace(caller.app.state.context, address_checks=checks)


class FakeChecks(AddressChecks):
    """It leaves out: apprise."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def check(self, url: str) -> Acceptance:
        self.asked.append(url)
        return Acceptance(receivers=1)


async def stored(caller: Caller) -> list[str]:
    return [one["name"] for one in (await caller.get("/v1/channels"))["items"]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (ZULIP | {"url": f"{ZULIP['url']}/dev"}, "names 2 receivers; make a channel for each"),
        (ZULIP | {"url": f"matrixs://{'horse' * 4}@m.example.com/#a/#b/#c"}, "names 3 receivers"),
        (ZULIP | {"url": "zulip://bot@org/horse-battery"}, "apprise does not accept the address ("),
        (ZULIP | {"url": "bulksms://horse:battery@/"}, "names no receiver"),
        (NTFY | {"kind": "gotify", "url": "https://1.example.com", "token": "horse"},
         "apprise does not accept the address ("),
    ],
)  # fmt: skip
async def test_address_that_is_not_one_receiver_is_refused(
    caller: Caller, fields: dict[str, Any], message: str
) -> None:
    answer = await caller.call("POST", "/v1/channels", json=fields)

    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == "url"
    assert error["message"].startswith(message)
    assert "horse" not in answer.text
    assert await stored(caller) == []


async def test_changed_address_is_checked(caller: Caller) -> None:
    made = await caller.call("POST", "/v1/channels", json=ZULIP)
    assert made.status_code == 201, made.text
    path = f"/v1/channels/{made.json()['id']}"

    answer = await caller.call("PATCH", path, json={"url": f"{ZULIP['url']}/dev", "name": "x"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "url"
    assert await stored(caller) == ["zulip"]


@pytest.mark.parametrize(
    ("script", "seconds", "message"),
    [
        ("exit 1", 300, "ended without an answer"),
        ("exec sleep 1000", 0.5, "could not be checked within 0.5 seconds"),
    ],
)
async def test_check_that_fails_stores_nothing(
    caller: Caller, script: str, seconds: float, message: str
) -> None:
    made = await caller.call("POST", "/v1/channels", json=ZULIP)
    path = f"/v1/channels/{made.json()['id']}"
    ask(caller, AddressChecks(["/bin/sh", "-c", script], seconds=seconds))

    created = await caller.call("POST", "/v1/channels", json=NTFY)
    moved = await caller.call("PATCH", path, json={"url": f"{ZULIP['url']}x", "name": "x"})
    renamed = await caller.call("PATCH", path, json={"name": "renamed"})

    for answer in (created, moved):
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:aweigh:problem:unavailable"
        assert message in answer.json()["detail"]
    assert renamed.status_code == 200
    assert await stored(caller) == ["renamed"]


async def test_only_a_valid_new_target_for_apprise_is_checked(caller: Caller) -> None:
    checks = FakeChecks()
    ask(caller, checks)

    for scope, body in (("deploy", NTFY), ("admin", NTFY | {"url": "x"}),
                        ("admin", NTFY | {"url": "https://127.0.0.1/a"})):  # fmt: skip
        answer = await caller.call("POST", "/v1/channels", json=body, scope=scope)
        assert answer.status_code in (403, 422)
    hook = {"name": "hook", "kind": "webhook", "url": "https://hooks.example.com/"}
    assert (await caller.call("POST", "/v1/channels", json=hook)).status_code == 201
    assert checks.asked == []

    path = f"/v1/channels/{(await caller.call('POST', '/v1/channels', json=NTFY)).json()['id']}"
    for change in ({"enabled": False}, {"url": NTFY["url"]}, {"token": "tk_1"}):
        assert (await caller.call("PATCH", path, json=change)).status_code == 200

    assert checks.asked == [
        "ntfys://ntfy.sh/deployments/?image=no&mode=private",
        "ntfys://tk_1@ntfy.sh/deployments/?image=no&mode=private&auth=token",
    ]


async def test_change_while_another_address_is_checked_is_not_stored(caller: Caller) -> None:
    class Meanwhile(FakeChecks):
        async def check(self, url: str) -> Acceptance:
            if not self.asked:
                self.asked.append(url)
                for change in ({"token": "tk_2"}, {"labels": {"team": "a"}}):
                    answer = await caller.call("PATCH", path, json=change)
                    assert answer.status_code == 200
            return await super().check(url)

    ask(caller, FakeChecks())
    path = f"/v1/channels/{(await caller.call('POST', '/v1/channels', json=NTFY)).json()['id']}"
    ask(caller, Meanwhile())

    answer = await caller.call("PATCH", path, json={"url": "https://ntfy.sh/other"})
    again = await caller.call("PATCH", path, json={"url": "https://ntfy.sh/other"})

    assert (answer.status_code, again.status_code) == (409, 200)
    assert "changed the channel's target meanwhile" in answer.json()["detail"]
    assert again.json()["labels"] == {"team": "a"}
