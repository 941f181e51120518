"""The reported commit status ends as the deployment stands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import Reason, Trigger
from aweigh.github.app import GitHub
from aweigh.github.commit_status import CommitStatus, StatusState
from aweigh.notifications.commit_status_reporter import StatusReporter
from aweigh.store import applications, deletion, lifecycle
from aweigh.store.database import Store
from tests.support.installation import (
    SERVER,
    Databases,
    new_deployment,
    open_store,
    start,
    succeed,
)

REPOSITORY = "https://github.com/acme/shop"
COMMIT = "1" * 40
TOKEN = {"type": "token", "token": "github_pat_secret"}


class FakeGitHub:
    """Keeps the statuses that are set; `during` runs while the first one is."""

    def __init__(self, during: Callable[[], Awaitable[None]] | None = None) -> None:
        self.states: list[StatusState] = []
        self._during = during

    def is_home_of(self, repository: str) -> bool:
        return repository == REPOSITORY

    async def set_status(self, _: Any, repository: str, commit: str, status: CommitStatus) -> None:
        assert (repository, commit) == (REPOSITORY, COMMIT)
        self.states.append(status.state)
        if self._during and len(self.states) == 1:
            await self._during()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    databases = Databases(tmp_path)
    await databases.prepare()
    async with open_store(databases.new()) as opened:
        yield opened


async def deploy(store: Store, **source: Any) -> str:
    given = {"type": "git", "repository": REPOSITORY, "credentials": TOKEN} | source
    settings = ApplicationSettings.model_validate({"source": given})
    async with store.write() as tx:
        made = await applications.create(tx, name="shop", server=SERVER, settings=settings)
    return await new_deployment(store, made.row.id, trigger=Trigger.PUSH, commit=COMMIT)


def reporter(store: Store, github: FakeGitHub) -> StatusReporter:
    return StatusReporter(store, cast(GitHub, github), lambda workflow: f"https://ui/{workflow}")


async def test_the_status_is_set_once_while_the_state_stays(store: Store) -> None:
    github = FakeGitHub()

    said = await reporter(store, github).report(await deploy(store))

    assert github.states == [StatusState.PENDING]
    assert said == f"pending at {REPOSITORY}"


async def test_a_state_that_changes_meanwhile_is_set_last(store: Store) -> None:
    made = await deploy(store)

    async def end() -> None:
        await start(store, made)
        await succeed(store, made)

    github = FakeGitHub(end)

    said = await reporter(store, github).report(made)

    assert github.states == [StatusState.PENDING, StatusState.SUCCESS]
    assert said == f"success at {REPOSITORY}"


async def test_nothing_is_reported_of_a_deleted_deployment(store: Store) -> None:
    made = await deploy(store)
    github = FakeGitHub()
    async with store.write() as tx:
        await lifecycle.failed(tx, made, Reason.CANCELLED, "")
        await deletion.delete_ended(tx, made, keep_releases=5)

    said = await reporter(store, github).report(made)

    assert (github.states, said) == ([], "there is nothing to report")


@pytest.mark.parametrize(
    "source", [{"credentials": None}, {"repository": "https://git.example.com/acme/shop"}]
)
async def test_nothing_is_reported_without_credentials_for_the_host(
    store: Store, source: dict[str, Any]
) -> None:
    github = FakeGitHub()

    said = await reporter(store, github).report(await deploy(store, **source))

    assert (github.states, said) == ([], "there is nothing to report")
