"""A private repository that a GitHub App reads, from its delivery to the status at the commit."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.demo.image import APPLICATION
from tests.support.building import building
from tests.support.git_server import GitServer, git_server
from tests.support.github import delivery, push
from tests.support.github_api import APP_ID, GitHubApi, github_api
from tests.support.outside import ask, until
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.docker
SECRET = "the-secret-of-the-app"
FILES = {
    "Procfile": "web: /usr/local/bin/python -I -S -B application.py\n",
    "application.py": APPLICATION.read_text(),
}


@pytest.fixture(scope="module")
def api() -> Iterator[GitHubApi]:
    with github_api() as running:
        yield running


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory, api: GitHubApi) -> Iterator[GitServer]:
    """Repositories that only tokens of the App's installation open."""
    with git_server(tmp_path_factory.mktemp("git")) as server:
        server.tokens = api.issued
        yield server


@pytest.fixture(scope="module")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, api: GitHubApi, builder: str
) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("github")
    (directory / "key.pem").write_text(api.private_key)
    (directory / "secret").write_text(f"{SECRET}\n")
    async with running_stack(
        directory,
        **building(builder),
        AWEIGH_BRANCH_POLL_SECONDS="3600",  # and whenever the server worker starts
        AWEIGH_GITHUB_API_URL=api.url,
        AWEIGH_GITHUB_APP_ID=APP_ID,
        AWEIGH_GITHUB_APP_KEY_FILE=str(directory / "key.pem"),
        AWEIGH_GITHUB_APP_WEBHOOK_SECRET_FILE=str(directory / "secret"),
    ) as running:
        yield running


async def test_a_push_goes_live_and_github_hears_of_it(
    stack: Stack, git: GitServer, api: GitHubApi, builder: str
) -> None:
    first = git.push("acme/app-read", FILES)
    await follow(stack, git, builder, "app-read")

    live = await pushed(stack, git, first)
    broken = git.push("acme/app-read", {"Procfile": "web without a colon\n"})
    fails = await pushed(stack, git, broken)

    assert live["state"] == "succeeded", await stack.log(live["id"])
    assert fails["state"] == "failed"
    assert (await ask(stack, "app-read.localhost")).text == "app-read unknown\n"

    async def both_are_told() -> bool:
        return (shown(api, first)[-1:], shown(api, broken)[-1:]) == (["success"], ["failure"])

    await until(both_are_told)
    assert shown(api, first) in (["pending", "success"], ["success"])
    last = [told for sha, told in api.statuses if sha == broken][-1]
    assert last["context"] == "aweigh/app-read"
    assert last["description"].startswith("build_failed: ")
    assert fails["workflow"]["url"].startswith(f"{last['target_url']}/")
    written = stack.output() + await stack.log(live["id"]) + await stack.log(fails["id"])
    assert [token for token in api.issued if token in written] == []


def shown(api: GitHubApi, commit: str) -> list[str]:
    """The states beside the commit, each once."""
    return list(dict.fromkeys(told["state"] for sha, told in api.statuses if sha == commit))


async def pushed(stack: Stack, git: GitServer, commit: str) -> dict[str, Any]:
    """The end of the deployment that a delivery of the App makes."""
    payload = push(git.url("acme/app-read"), after=commit, installation={"id": 7})
    answer = await stack.client.post("/v1/github/webhooks", **delivery(payload, SECRET))
    [made] = answer.json()["deployments"]
    return await stack.deployment(made, wait=600)


@pytest.mark.long
async def test_a_push_that_is_never_delivered_goes_live(
    stack: Stack, git: GitServer, builder: str
) -> None:
    git.push("acme/missed", FILES)
    app = await follow(stack, git, builder, "missed")

    async def its_branch_was_seen() -> bool:
        return app["id"] in stack.output()

    stack.kill("server")
    await until(its_branch_was_seen)
    missed = git.push("acme/missed", {"number": "2"})
    stack.kill("server")

    async def all_are_live() -> list[dict[str, Any]]:
        found = await stack.call("GET", f"/v1/deployments?application={app['id']}")
        items: list[dict[str, Any]] = found.json()["items"]
        return items if {one["state"] for one in items} == {"succeeded"} else []

    [made] = await until(all_are_live)

    assert (made["trigger"], made["commit"]) == ("poll", missed)
    assert (await ask(stack, "missed.localhost")).text == "missed unknown\n"


async def follow(stack: Stack, git: GitServer, builder: str, name: str) -> dict[str, Any]:
    source = {
        "type": "git", "repository": git.url(f"acme/{name}"), "build": {"builder": builder},
        "credentials": {"type": "github_app", "installation": 7},
    }  # fmt: skip
    return await stack.create(
        name, source, env={"NAME": name}, domains=[{"host": f"{name}.localhost", "tls": False}]
    )
