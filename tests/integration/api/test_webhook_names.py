"""Deliveries by what they name: branches, tags, messages of releases, renamed repositories."""

from typing import Any

import pytest

from tests.integration.api.test_webhooks import (
    ONE,
    REPOSITORY,
    TWO,
    deliver,
    deployments,
    follow,
)
from tests.support.api_caller import Caller
from tests.support.github import push


@pytest.mark.parametrize("message", [
    "chore(release): 1.2.0 [skip ci]\n\n* fix: x", "1.2.0 [no ci]", "1.2.0\n\n\nskip-checks:true",
])  # fmt: skip
async def test_a_tag_deploys_whatever_its_commit_says(caller: Caller, message: str) -> None:
    """Tools that make releases write it into each commit; the push of its branch heeds it."""
    app = await follow(caller, tags=["v*"])
    branch = push(REPOSITORY, after=ONE, message=message)
    tag = push(REPOSITORY, after=ONE, message=message, ref="refs/tags/v1.2.0")

    ignored = await deliver(caller, app["webhook_secret"], branch)
    taken = await deliver(caller, app["webhook_secret"], tag)

    assert ignored.json()["ignored"][0]["reason"] == "the commit's message asks for it"
    [made] = await deployments(caller)
    assert taken.json() == {"deployments": [made["id"]], "ignored": []}
    assert (made["commit"], made["trigger"]) == (ONE, "tag")


@pytest.mark.parametrize("name", ["#123-fix", "日本語", "a]b(c){d}&e", "v1(beta)"])
async def test_branches_and_tags_of_any_name_are_deployed(caller: Caller, name: str) -> None:
    app = await follow(caller, branch=name, tags=["*"])
    for commit, kind in ((ONE, "heads"), (TWO, "tags")):
        await deliver(caller, app["webhook_secret"], push(
            REPOSITORY, after=commit, ref=f"refs/{kind}/{name}",
            repository_fields={"pushed_at": 1_790_000_000 + int(commit[0])},
        ))  # fmt: skip
    asked = await caller.call(
        "POST", f"/v1/applications/{app['id']}/deployments", json={"tag": f"refs/heads/{name}"}
    )

    assert asked.status_code == 202, asked.text
    made = await deployments(caller)
    assert [one["commit"] for one in made] == [None, TWO, ONE]
    assert made[1]["image"]["reference"] == f"{REPOSITORY}#{name}"


@pytest.mark.parametrize("first", ["push", "ping"])
async def test_a_renamed_repository_is_still_known(caller: Caller, first: str) -> None:
    app, other = await follow(caller), await follow(caller, "other")
    secret = app["webhook_secret"]
    known = {"id": 7}
    renamed = known | {
        "clone_url": "https://github.com/acme/store.git", "pushed_at": 1_790_000_005,
    }  # fmt: skip
    elsewhere = renamed | {"clone_url": "https://github.example.com/acme/store.git"}

    def pushed(commit: str, fields: dict[str, Any]) -> dict[str, Any]:
        return push(REPOSITORY, after=commit, repository_fields=fields)

    too_early = await deliver(caller, secret, pushed(TWO, renamed))
    await deliver(caller, secret, pushed(ONE, known), event=first)
    stranger = await deliver(caller, other["webhook_secret"], pushed(TWO, renamed))
    of_another_host = await deliver(caller, secret, pushed(TWO, elsewhere))
    taken = await deliver(caller, secret, pushed(TWO, renamed))

    assert [one.status_code for one in (too_early, stranger, of_another_host)] == [401] * 3
    assert len(taken.json()["deployments"]) == 1, taken.text
    newest = (await deployments(caller))[0]
    assert (newest["commit"], newest["application"]["id"]) == (TWO, app["id"])


async def test_the_id_of_a_repository_goes_with_its_address(caller: Caller) -> None:
    app = await follow(caller)
    secret = app["webhook_secret"]
    await deliver(caller, secret, push(REPOSITORY, after=ONE, repository_fields={"id": 7}))
    change = {"source": {"repository": "https://github.com/acme/another"}}
    await caller.call("PATCH", f"/v1/applications/{app['id']}", json=change)

    answer = await deliver(caller, secret, push(REPOSITORY, after=TWO, repository_fields={"id": 7}))

    assert answer.status_code == 401


async def test_a_tag_on_the_former_head_that_was_pushed_with_the_new_one_is_deployed(
    caller: Caller,
) -> None:
    app = await follow(caller, tags=["v*"])
    await deliver(caller, app["webhook_secret"], push(REPOSITORY, before=ONE, after=TWO))

    tag = push(REPOSITORY, after=ONE, ref="refs/tags/v1")
    answer = await deliver(caller, app["webhook_secret"], tag)

    assert answer.json()["ignored"] == []
    assert {one["commit"] for one in await deployments(caller)} == {ONE, TWO}
