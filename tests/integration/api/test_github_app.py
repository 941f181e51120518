"""Applications that a GitHub App reads: its deliveries, and the tokens of its installations."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER
from aweigh.github.app import App, GitHub
from tests.support.api_caller import Caller, open_api
from tests.support.github import delivery, push
from tests.support.github_api import APP_ID, GitHubApi, github_api
from tests.support.installation import Databases, open_store

REPOSITORY = "http://127.0.0.1/acme/shop.git"
COMMIT = "1" * 40
SECRET = "the-secret-of-the-app"
HOLDER = {IDENTITY_HEADER: "identity-1", BOOT_HEADER: "boot-1"}


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with github_api() as running:
        yield running


@pytest.fixture
async def caller(databases: Databases, tmp_path: Path, api: GitHubApi) -> AsyncIterator[Caller]:
    """A caller of an installation with an App."""
    app = App(id=APP_ID, private_key=api.private_key, webhook_secret=SECRET)
    github = GitHub(api.url, app)
    async with open_store(databases.new()) as store, open_api(store, tmp_path, github) as opened:
        yield opened
    await github.close()


def source(installation: int = 7, repository: str = REPOSITORY) -> dict[str, Any]:
    credentials = {"type": "github_app", "installation": installation}
    return {"type": "git", "repository": repository, "credentials": credentials}


async def follow(caller: Caller, name: str, given: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.call("POST", "/v1/applications", json={"name": name, "source": given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def deliver(caller: Caller, payload: dict[str, Any], **how: Any) -> httpx2.Response:
    secret = how.pop("secret", SECRET)
    return await caller.client.post("/v1/github/webhooks", **delivery(payload, secret, **how))


def pushed(installation: int = 7) -> dict[str, Any]:
    return push(REPOSITORY, after=COMMIT, installation={"id": installation})


async def test_a_delivery_of_the_app_speaks_to_its_installation_only(caller: Caller) -> None:
    ours = await follow(caller, "ours", source())
    await follow(caller, "others", source(installation=8))
    own = await follow(caller, "own-secret", {"type": "git", "repository": REPOSITORY})

    by_app = await deliver(caller, pushed())
    by_own = await deliver(caller, pushed(), secret=own["webhook_secret"])

    made = {one["id"]: one["application"]["id"] for one in await all_deployments(caller)}
    assert [made[one] for one in by_app.json()["deployments"]] == [ours["id"]]
    assert [made[one] for one in by_own.json()["deployments"]] == [own["id"]]
    assert len(made) == 2


async def all_deployments(caller: Caller) -> list[dict[str, Any]]:
    return list((await caller.get("/v1/deployments"))["items"])


async def test_an_app_that_signs_for_no_application_is_told_so(caller: Caller) -> None:
    await follow(caller, "shop", source())

    answers = [
        await deliver(caller, pushed(installation=9)),
        await deliver(caller, push(REPOSITORY, after=COMMIT)),
        await deliver(caller, {"zen": "Keep it logically awesome.", "hook_id": 1}, event="push"),
    ]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert all("installation" in answer.json()["ignored"][0]["reason"] for answer in answers)
    assert await all_deployments(caller) == []


async def test_the_apps_ping_is_answered(caller: Caller) -> None:
    answer = await deliver(caller, {"zen": "Design for failure.", "hook_id": 1}, event="ping")

    assert (answer.status_code, answer.json()) == (200, {"applications": []})


async def test_a_wrong_secret_is_nobodys(caller: Caller) -> None:
    await follow(caller, "shop", source())

    assert (await deliver(caller, pushed(), secret="guessed")).status_code == 401


async def test_another_github_is_refused(caller: Caller) -> None:
    given = source(repository="https://github.com/acme/shop.git")

    answer = await caller.call("POST", "/v1/applications", json={"name": "shop", "source": given})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "source.repository"


async def test_without_an_app_its_credentials_are_refused(
    databases: Databases, tmp_path: Path
) -> None:
    async with open_store(databases.new()) as store, open_api(store, tmp_path) as bare:
        created = await bare.call(
            "POST", "/v1/applications", json={"name": "shop", "source": source()}
        )
        shop = await bare.create()
        changed = await bare.call(
            "PATCH", f"/v1/applications/{shop['id']}", json={"source": source()}
        )

    for answer in (created, changed):
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["field"] == "source.credentials.type"
        assert "set AWEIGH_GITHUB_APP_ID" in error["message"]


async def test_a_server_worker_is_given_a_token_for_its_fetch(
    caller: Caller, api: GitHubApi
) -> None:
    await follow(caller, "shop", source())
    [made] = (await deliver(caller, pushed())).json()["deployments"]

    answer = await token_for(caller, made)

    token = answer.json()["token"]
    assert api.issued[token] == {"repositories": ["shop"], "permissions": {"contents": "read"}}
    assert (await token_for(caller, made, scope="admin")).status_code == 403


async def test_a_refusal_of_github_is_told_to_the_server_worker(caller: Caller) -> None:
    await follow(caller, "shop", source(installation=8))
    [made] = (await deliver(caller, pushed(installation=8))).json()["deployments"]

    answer = await token_for(caller, made)

    assert answer.status_code == 422
    assert "GitHub refuses a token for" in answer.json()["detail"]


async def token_for(caller: Caller, deployment: str, scope: str = "server") -> httpx2.Response:
    lease = {"identity": "identity-1", "boot": "boot-1", "worker_version": "1"}
    await caller.call("POST", "/v1/worker/lease", scope="server", headers=HOLDER, json=lease)
    path = f"/v1/worker/releases/{deployment}/repository-token"
    return await caller.call("POST", path, scope=scope, headers=HOLDER)
