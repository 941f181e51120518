"""A row that cannot be read keeps nobody from the others, and can be removed."""

import json

import pytest
from sqlalchemy import text

from aweigh.secrets.vault import SealOwner
from aweigh.store import applications, removals
from tests.integration.api.test_github_app import (
    api,
    deliver,
    follow,
    pushed,
    source,
)
from tests.integration.api.test_github_app import caller as app_caller
from tests.support.api_caller import Caller
from tests.support.installation import SERVER

__all__ = ["api", "app_caller"]  # fixtures

PLAIN = {"type": "git", "repository": source()["repository"]}


async def damage(caller: Caller, column: str, application: str, value: str = "garbage") -> None:
    async with caller.store.write() as tx:
        change = text(f"UPDATE applications SET {column} = :value WHERE id = :id")  # noqa: S608
        await tx.session.execute(change, {"value": value, "id": application})


async def test_the_others_are_listed_and_it_is_told_of(caller: Caller) -> None:
    bad, good = await caller.create("bad"), await caller.create("good")
    await damage(caller, "settings", bad["id"])

    listed = await caller.get("/v1/applications")

    assert [one["id"] for one in listed["items"]] == [good["id"]]
    assert [(one["id"], one["slug"]) for one in listed["unreadable"]] == [(bad["id"], "bad")]


async def test_pages_go_on_behind_it(caller: Caller) -> None:
    made = [await caller.create(name) for name in ("a", "b", "c")]
    await damage(caller, "settings", made[1]["id"])

    page = await caller.get("/v1/applications", params={"limit": 2})
    rest = await caller.get("/v1/applications", params={"limit": 2, "after": page["next"]})

    assert [one["slug"] for one in page["items"] + rest["items"]] == ["a", "c"]


@pytest.mark.parametrize("column", ["settings", "secret", "webhook_secret"])
async def test_it_can_be_removed_and_its_deployments_be_read(caller: Caller, column: str) -> None:
    bad = await caller.create("bad", domains=[{"host": "a.example"}], port=80)
    deployment = await caller.deploy(bad)
    await damage(caller, column, bad["id"])

    answer = await caller.call("DELETE", "/v1/applications/bad")

    assert (answer.status_code, answer.json()["removing"]) == (202, True)
    [listed] = (await caller.get("/v1/deployments", params={"application": "bad"}))["items"]
    assert listed["id"] == deployment
    async with caller.store.write() as tx:
        removal = await removals.find_requested(tx, SERVER, bad["id"])
        await removals.succeeded(tx, removal.application, removal.sequence)
    assert (await caller.get("/v1/applications"))["items"] == []
    await caller.create("other", domains=[{"host": "a.example"}], port=80)


@pytest.mark.parametrize("column", ["settings", "webhook_secret", "secret"])
async def test_deliveries_speak_to_its_neighbours(app_caller: Caller, column: str) -> None:
    bad = await follow(app_caller, "bad", PLAIN)
    by_app = await follow(app_caller, "bad-too", source())
    good = await follow(app_caller, "good", PLAIN)
    ours = await follow(app_caller, "ours", source())
    for one in (bad, by_app):
        await damage(app_caller, column, one["id"])

    by_own = await deliver(app_caller, pushed(), secret=good["webhook_secret"])
    of_app = await deliver(app_caller, pushed())

    assert (by_own.status_code, of_app.status_code) == (202, 202)
    assert len(by_own.json()["deployments"]) == 1
    made = {one["application"]["id"] for one in (await app_caller.get("/v1/deployments"))["items"]}
    assert {good["id"], ours["id"]} <= made


_CALLS = (
    ("GET", ""), ("PATCH", ""), ("GET", "/env"), ("GET", "/domains"), ("PUT", "/labels"),
    ("POST", "/deployments"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), _CALLS)
async def test_whoever_asks_for_it_is_told_what_cannot_be_read(
    caller: Caller, method: str, path: str
) -> None:
    bad = await caller.create("bad")
    await damage(caller, "settings", bad["id"])

    answer = await caller.call(method, f"/v1/applications/bad{path}", json={})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:aweigh:problem:unreadable")
    assert f"applications.settings/{bad['id']}" in answer.json()["detail"]


async def test_settings_that_are_not_valid_are_named_without_their_values(caller: Caller) -> None:
    bad = await caller.create("bad")
    async with caller.store.write() as tx:
        row = await applications.find_row(tx, "bad")
        owner = SealOwner(kind="applications.settings", id=row.id)
        stored = json.loads(tx.vault.open(owner, row.settings)) | {"replicas": "hunter22"}
        row.settings = tx.vault.seal(owner, json.dumps(stored))

    answer = await caller.call("GET", f"/v1/applications/{bad['id']}")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:aweigh:problem:unreadable")
    assert answer.json()["detail"] == "the stored settings of bad are invalid: replicas"


@pytest.mark.parametrize("column", ["secret", "webhook_secret"])
async def test_a_secret_that_cannot_be_read_is_made_anew(caller: Caller, column: str) -> None:
    bad = await caller.create("bad")
    await damage(caller, column, bad["id"])

    shown = await caller.call("GET", "/v1/applications/bad/settings")
    rotated = await caller.call("POST", "/v1/applications/bad/settings/rotate")

    assert shown.status_code == 409
    assert rotated.status_code == 200
    assert (await caller.get("/v1/applications/bad/settings")) == rotated.json()
