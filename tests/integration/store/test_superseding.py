"""Deployments superseded before the hand-over are found and ended in either database."""

import pytest
from sqlalchemy import select, update

from aweigh.store import applications, deployments, lanes, outbox, removals
from aweigh.store.database import Store
from aweigh.store.tables import DomainClaim, OutboxRow
from tests.support.installation import (
    events_of,
    new_application,
    new_deployment,
    settings_of,
    start,
)


@pytest.fixture
async def shop(store: Store) -> str:
    return await new_application(store, domains=[{"host": "old.example.com"}])


async def superseded(store: Store) -> dict[str, str]:
    async with store.read() as tx:
        return dict(await lanes.superseded(tx, await outbox.due(tx)))


async def test_the_newest_supersedes_all_others(store: Store, shop: str) -> None:
    *older, newest = [await new_deployment(store, shop) for _ in range(4)]
    await new_deployment(store, await new_application(store, "blog"))

    assert await superseded(store) == dict.fromkeys(older, newest)


async def test_a_started_or_handed_over_deployment_is_not_superseded_here(
    store: Store, shop: str
) -> None:
    begun, known, fresh, newest = [await new_deployment(store, shop) for _ in range(4)]
    await start(store, begun)
    async with store.write() as tx:
        of_known = update(OutboxRow).where(OutboxRow.subject == known)
        await tx.session.execute(of_known.values(attempts=1))

    assert await superseded(store) == {fresh: newest}


async def test_a_removal_supersedes_older_deployments(store: Store, shop: str) -> None:
    made = await new_deployment(store, shop)
    async with store.write() as tx:
        found = await applications.find(tx, shop, lock=True)
        await removals.request(tx, found.row, volumes=False)

    assert await superseded(store) == {made: "the removal of the application"}


async def test_a_superseded_deployment_ends_as_in_its_lane(store: Store, shop: str) -> None:
    older = await new_deployment(store, shop)
    async with store.write() as tx:
        found = await applications.find(tx, shop, lock=True)
        await applications.change(tx, found, settings_of(domains=[{"host": "new.example.com"}]))
    newest = await new_deployment(store, shop)
    by = await superseded(store)
    async with store.write() as tx:
        await outbox.put(tx, outbox.CANCEL, older)
        await lanes.supersede(tx, by)

    async with store.read() as tx:
        row = await deployments.find_row(tx, older)
        claims = list(await tx.session.scalars(select(DomainClaim.host)))
        still_told = list(await tx.session.scalars(select(OutboxRow.subject)))
    assert (row.state, row.reason, row.superseded_by) == ("failed", "superseded", newest)
    assert row.message == f"Superseded by a newer deployment, {newest}."
    assert row.finished_at is not None
    assert await events_of(store, older) == ["deployment.created", "deployment.failed"]
    assert claims == ["new.example.com"]
    assert still_told == [newest]


async def test_a_deployment_handed_over_meanwhile_is_left_alone(store: Store, shop: str) -> None:
    older, _ = [await new_deployment(store, shop) for _ in range(2)]
    by = await superseded(store)
    async with store.write() as tx:
        of_older = select(OutboxRow.id).where(OutboxRow.subject == older)
        await outbox.handed_over(tx, list(await tx.session.scalars(of_older)))
    async with store.write() as tx:
        await lanes.supersede(tx, by)

    async with store.read() as tx:
        assert (await deployments.find_row(tx, older)).state == "created"
