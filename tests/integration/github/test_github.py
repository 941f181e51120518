"""Tokens of an App's installations, and statuses, against a GitHub that checks signatures."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import SecretStr

from aweigh.core.errors import RateLimited, Refused, Unavailable
from aweigh.deployments.repository import AppInstallation, DeployKey, Token
from aweigh.github.app import READ, WRITE_STATUS, App, GitHub
from aweigh.github.commit_status import CommitStatus, StatusState
from tests.support.github_api import APP_ID, GitHubApi, github_api

SHOP = "http://127.0.0.1/acme/shop.git"
OURS = AppInstallation(installation=7)
COMMIT = "c" * 40
LIVE = CommitStatus(
    state=StatusState.SUCCESS, description="Live.", context="aweigh/shop", target_url="http://page"
)


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with github_api() as running:
        yield running


@asynccontextmanager
async def client(api: GitHubApi, *, key: str = "") -> AsyncIterator[GitHub]:
    github = GitHub(api.url, App(id=APP_ID, private_key=key or api.private_key))
    yield github
    await github.close()


async def test_a_token_opens_one_repository_for_one_purpose(api: GitHubApi) -> None:
    async with client(api) as github:
        token = await github.token(OURS, SHOP, READ)

    assert api.issued[token] == {"repositories": ["shop"], "permissions": {"contents": "read"}}


async def test_a_token_is_fetched_once_while_it_is_fresh(api: GitHubApi) -> None:
    async with client(api) as github:
        first = await github.token(OURS, SHOP, READ)

        assert await github.token(OURS, SHOP, READ) == first
        assert await github.token(OURS, SHOP, WRITE_STATUS) != first
        assert await github.token(OURS, "http://127.0.0.1/acme/other.git", READ) != first


async def test_an_own_token_is_taken_as_it_is(api: GitHubApi) -> None:
    async with client(api) as github:
        own = Token(token=SecretStr("ghp_own"))

        assert await github.token(own, SHOP, READ) == "ghp_own"
    assert api.issued == {}


async def test_an_app_that_is_not_installed_is_refused(api: GitHubApi) -> None:
    async with client(api) as github:
        with pytest.raises(Refused, match=r"refuses a token for http.*shop.git \(404\): Not Found"):
            await github.token(AppInstallation(installation=8), SHOP, READ)


@pytest.mark.parametrize(
    "repository", ["http://elsewhere.example/acme/shop", "http://127.0.0.1.example/acme/shop"]
)
async def test_no_token_is_made_for_a_repository_elsewhere(api: GitHubApi, repository: str) -> None:
    """As where AWEIGH_GITHUB_API_URL was changed since the application was made."""
    async with client(api) as github:
        with pytest.raises(Refused, match="not on the GitHub host"):
            await github.token(OURS, repository, READ)
    assert api.issued == {}


async def test_a_wrong_key_is_refused(api: GitHubApi) -> None:
    with github_api() as other:
        async with client(api, key=other.private_key) as github:
            with pytest.raises(Refused, match=r"\(401\): A JSON web token could not be decoded"):
                await github.token(OURS, SHOP, READ)


async def test_without_an_app_there_is_no_token(api: GitHubApi) -> None:
    github, key = (
        GitHub(api.url),
        DeployKey(private_key=SecretStr(api.private_key), known_hosts="h ssh-rsa AAAA"),
    )
    with pytest.raises(Refused, match="set AWEIGH_GITHUB_APP_ID"):
        await github.token(OURS, SHOP, READ)
    with pytest.raises(Refused, match="by git only"):
        await github.token(key, SHOP, READ)
    await github.close()


async def test_a_status_is_shown(api: GitHubApi) -> None:
    async with client(api) as github:
        await github.set_status(OURS, SHOP, COMMIT, LIVE)

    expected = {"state": "success", "description": "Live.", "context": "aweigh/shop",
                "target_url": "http://page"}  # fmt: skip
    assert api.statuses == [(COMMIT, expected)]


async def test_an_app_that_may_not_tell_is_refused(api: GitHubApi) -> None:
    api.permissions = {"contents"}
    async with client(api) as github:
        with pytest.raises(Refused, match="not granted to this installation"):
            await github.set_status(OURS, SHOP, COMMIT, LIVE)


async def test_a_token_that_is_thrown_back_is_hidden() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        shown = request.headers["Authorization"]
        coded = base64.b64encode(shown.encode()).decode()
        return httpx2.Response(422, json={"message": f"no: {shown}, {coded}"})

    github = GitHub("http://127.0.0.1", transport=httpx2.MockTransport(answer))
    token = Token(token=SecretStr("ghp_correct-horse"))

    with pytest.raises(Refused) as refused:
        await github.set_status(token, SHOP, COMMIT, LIVE)

    assert str(refused.value).endswith("no: Bearer **********, QmVhcmVyIG**********")
    await github.close()


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (403, {"Retry-After": "17"}, 17),
        (429, {}, 60),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 1),
    ],
)
async def test_a_limit_says_when_to_ask_again(
    api: GitHubApi, status: int, headers: dict[str, str], seconds: float
) -> None:
    api.refusals.append((status, headers))
    async with client(api) as github:
        with pytest.raises(RateLimited) as caught:
            await github.token(OURS, SHOP, READ)

    assert caught.value.seconds == seconds


async def test_trouble_at_github_may_pass(api: GitHubApi) -> None:
    api.refusals.append((502, {}))
    async with client(api) as github:
        with pytest.raises(Unavailable, match="answered 502"):
            await github.token(OURS, SHOP, READ)
    away = GitHub("http://127.0.0.1:1", App(id=APP_ID, private_key=api.private_key))
    with pytest.raises(Unavailable, match="does not answer"):
        await away.token(OURS, SHOP, READ)
    await away.close()


@pytest.mark.parametrize(
    ("api_url", "repository", "home"),
    [
        ("https://api.github.com", "https://github.com/acme/shop.git", True),
        ("https://api.github.com", "https://github.com.evil.example/acme/shop", False),
        ("https://api.github.com", "https://gitlab.com/acme/shop", False),
        ("https://api.github.com", "https://github.com/acme/group/shop", False),
        ("https://git.acme.example/api/v3", "https://git.acme.example/acme/shop", True),
    ],
)
async def test_credentials_are_shown_to_their_own_github_only(
    api_url: str, repository: str, home: bool
) -> None:
    github = GitHub(api_url)

    assert github.is_home_of(repository) is home
    await github.close()
