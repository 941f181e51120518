"""Servers that throw credentials back in other spellings: nothing keeps or shows them."""

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.building import Builds
from tests.support.echoing import Echo, echoing, traces
from tests.support.outside import change

pytestmark = pytest.mark.docker

USER = "ci"
#: Each spelling of it is another one, and longer than a line.
PASSWORD, TOKEN = (f'kä"se/+{secrets.token_hex(50)}\\?&' for _ in range(2))


@dataclass
class Echoed:
    builds: Builds
    echo: Echo
    deployments: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
async def echoed(builds: Builds) -> AsyncIterator[Echoed]:
    """Deployments that failed because such a server refused what it was shown."""
    with echoing() as echo:
        registry = {"username": USER, "password": PASSWORD}
        credentials = {"type": "token", "username": USER, "token": TOKEN}
        sources: Mapping[str, Mapping[str, Any]] = {
            "pull": {"image": f"{echo.host}/acme/shop", "tag": "v1", "registry": registry},
            "fetch": {"type": "git", "repository": f"http://{echo.host}/acme/shop.git",
                      "credentials": credentials},
        }  # fmt: skip
        app = await builds.stack.create("echoed", sources["pull"], env={"TOKEN": TOKEN})
        deployments = {}
        for name, source in sources.items():
            await change(builds.stack, app, source=source)
            answer = (await builds.stack.deploy(app)).json()
            deployments[name] = answer["deployment"]
        yield Echoed(builds, echo, deployments)


async def test_the_servers_saw_the_credentials_and_were_quoted(echoed: Echoed) -> None:
    assert echoed.echo.seen == {PASSWORD, TOKEN}
    for name, one in echoed.deployments.items():
        assert one["reason"] in ("registry_auth", "repository_auth"), one
        assert "denied: Authorization: " in one["message"], one["message"]
        assert "**********" in one["message"]
        assert [step["state"] for step in one["steps"] if step["name"] == name] == ["failed"]


async def test_no_spelling_of_them_is_in_any_answer_or_history(echoed: Echoed) -> None:
    stack = echoed.builds.stack
    client = await stack.temporal()
    for one in echoed.deployments.values():
        paths = ("", "/steps", "/log")
        answers = [await stack.call("GET", f"/v1/deployments/{one['id']}{path}") for path in paths]
        handle = client.get_workflow_handle(one["workflow"]["id"])
        history = (await handle.fetch_history()).to_json()

        for text in (*(answer.text for answer in answers), history):
            assert found_in(text.encode()) == []


@pytest.mark.parametrize("pattern", ["temporal.db*", "aweigh.db*", "logs/*.log", "server/**/*"])
async def test_no_spelling_of_them_is_in_any_file(echoed: Echoed, pattern: str) -> None:
    files = [path for path in echoed.builds.stack.data.glob(pattern) if path.is_file()]

    assert files
    assert {str(path): found for path in files if (found := found_in(path.read_bytes()))} == {}


def found_in(data: bytes) -> list[str]:
    return [
        f"{name} of {which}"
        for which, value in (("the password", PASSWORD), ("the token", TOKEN))
        for name, form in traces(USER, value).items()
        if form.encode() in data
    ]
