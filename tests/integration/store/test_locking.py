"""A row that is locked is the row as it is by then, also where the session knew it before."""

from collections.abc import AsyncIterator

import pytest

from aweigh.contract import Lease, StepReport
from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import DeploymentState, Reason, StepState
from aweigh.store import applications, deployments, lifecycle, servers, steps
from aweigh.store.database import Store
from aweigh.store.tables import ServerRow
from tests.support.installation import (
    SERVER,
    Databases,
    new_application,
    new_deployment,
    open_store,
    settings_of,
    start,
)


@pytest.fixture
async def store(postgres_databases: Databases) -> AsyncIterator[Store]:
    """PostgreSQL alone: SQLite lets one writer in at a time."""
    async with open_store(postgres_databases.new()) as opened:
        yield opened


async def fail(store: Store, deployment_id: str) -> None:
    async with store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id="run-1")


async def test_a_deployment_that_ended_meanwhile_is_not_taken_for_a_running_one(
    store: Store,
) -> None:
    made = await new_deployment(store, await new_application(store))
    await start(store, made)

    async with store.write() as tx:
        known = await deployments.find_row(tx, made)
        await fail(store, made)

        report = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1)
        with pytest.raises(Conflict, match="has ended as failed / unhealthy"):
            await steps.report(tx, made, "pull", report)
        assert known.state == DeploymentState.FAILED


async def test_a_change_made_meanwhile_is_not_undone(store: Store) -> None:
    made = await new_application(store)

    async with store.write() as tx:
        known = await applications.find(tx, made)
        async with store.write() as other:
            found = await applications.find(other, made, lock=True)
            await applications.change(other, found, settings_of(replicas=3))

        again = await applications.find(tx, made, lock=True)
    assert (again.settings.replicas, again.row) == (3, known.row)


async def test_what_is_live_by_now_keeps_its_domains(store: Store) -> None:
    shop = await new_application(store, domains=[{"host": "shop.example.com"}])
    first, second = [await new_deployment(store, shop) for _ in range(2)]

    async with store.write() as tx:
        known = await deployments.find(tx, second)
        async with store.write() as other:
            await lifecycle.succeeded(other, first, "run-1")
            found = await applications.find(other, shop, lock=True)
            await applications.change(other, found, settings_of())
        await lifecycle.failed(tx, second, Reason.UNHEALTHY, "no")
        assert known.application.live == first

    with pytest.raises(Conflict, match=shop):
        await new_application(store, "blog", domains=[{"host": "shop.example.com"}])


async def test_a_name_that_was_given_away_meanwhile_is_not_given_twice(store: Store) -> None:
    def ask(identity: str) -> Lease:
        return Lease(identity=identity, boot="one", worker_version="1")

    async with store.write() as tx:
        known = await tx.session.get_one(ServerRow, SERVER)
        async with store.write() as other:
            await servers.lease(other, SERVER, ask("a"))

        with pytest.raises(Conflict, match="identity a"):
            await servers.lease(tx, SERVER, ask("b"))
        assert known.identity == "a"
