"""Deployments superseded before the hand-over never reach Temporal; few go at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select

from api.relay import Relay
from aweigh.deployments.deployment import Reason
from aweigh.store import applications, deployments, lifecycle, outbox, removals
from aweigh.store.database import Store
from aweigh.store.tables import DeploymentRow, DomainClaim, OutboxRow
from tests.support.installation import (
    events_of,
    new_application,
    new_deployment,
    settings_of,
    start,
)
from tests.support.temporal import FakeTemporal

_PLACES = 8


@pytest.fixture
async def relay(store: Store, temporal: FakeTemporal) -> AsyncIterator[Callable[[], None]]:
    """Begins to hand over what is there."""
    running: list[asyncio.Task[None]] = []
    relay = Relay(store, temporal.connect)
    yield lambda: running.append(asyncio.create_task(relay.run()))
    for one in running:
        assert not one.done()
        one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await one


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.01)


async def row_of(store: Store, deployment_id: str) -> DeploymentRow:
    async with store.read() as tx:
        return await deployments.find_row(tx, deployment_id)


async def ended(store: Store, deployment_id: str) -> DeploymentRow:
    async with asyncio.timeout(300):
        while (row := await row_of(store, deployment_id)).state == "created":
            await asyncio.sleep(0.01)
    return row


async def told_of(store: Store) -> set[str]:
    """What the relay still has to tell Temporal of."""
    async with store.read() as tx:
        return set(await tx.session.scalars(select(OutboxRow.subject)))


async def test_only_the_newest_of_many_is_handed_over(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None]
) -> None:
    application = await new_application(store)
    *older, newest = [await new_deployment(store, application) for _ in range(120)]
    relay()
    rows = [await ended(store, one) for one in older]

    assert [told for _, told in temporal.handed_over] == [newest]
    assert {(row.state, row.reason, row.superseded_by) for row in rows} == {
        ("failed", "superseded", newest)
    }
    assert rows[0].message == f"Superseded by a newer deployment, {newest}."
    assert await events_of(store, older[0]) == ["deployment.created", "deployment.failed"]
    assert await told_of(store) == {newest}


async def test_a_removal_supersedes_deployments(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None]
) -> None:
    application = await new_application(store)
    made = await new_deployment(store, application)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
    relay()
    row = await ended(store, made)

    assert row.superseded_by == "the removal of the application"
    assert [told for _, told in temporal.handed_over] == [""]


async def test_each_application_hands_over_its_own_newest(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None]
) -> None:
    made = []
    for name in ("shop", "blog"):
        application = await new_application(store, name)
        made += [await new_deployment(store, application) for _ in range(3)]
    relay()
    for one in (*made[:2], *made[3:5]):
        await ended(store, one)

    assert {told for _, told in temporal.handed_over} == {made[2], made[5]}


async def test_a_deployment_that_was_handed_over_is_left_to_its_lane(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None]
) -> None:
    application = await new_application(store)
    known = await new_deployment(store, application)
    relay()
    await until(lambda: temporal.handed_over)
    async with asyncio.timeout(300):
        while not await is_noted(store, known):
            await asyncio.sleep(0.01)
    newer = await new_deployment(store, application)
    await until(lambda: len(temporal.handed_over) == 2)

    assert [told for _, told in temporal.handed_over] == [known, newer]
    assert (await row_of(store, known)).state == "created"


async def is_noted(store: Store, deployment_id: str) -> bool:
    """Whether the relay has written down that it handed it over."""
    query = select(OutboxRow.attempts).where(OutboxRow.subject == deployment_id)
    async with store.read() as tx:
        return bool(await tx.session.scalar(query))


async def test_a_failed_deployment_supersedes_none(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None]
) -> None:
    application = await new_application(store)
    made, newer = [await new_deployment(store, application) for _ in range(2)]
    async with store.write() as tx:
        await lifecycle.failed(tx, newer, Reason.CANCELLED, "cancelled")
    relay()
    await until(lambda: temporal.handed_over)

    assert [told for _, told in temporal.handed_over] == [made]


async def test_a_superseded_deployment_frees_its_domains(
    store: Store, relay: Callable[[], None]
) -> None:
    application = await new_application(store, domains=[{"host": "old.example.com"}])
    older = await new_deployment(store, application)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        changed = settings_of(domains=[{"host": "new.example.com"}])
        await applications.change(tx, found, changed)
    await new_deployment(store, application)
    relay()
    await ended(store, older)

    async with store.read() as tx:
        assert list(await tx.session.scalars(select(DomainClaim.host))) == ["new.example.com"]


async def test_a_workflow_of_a_superseded_deployment_may_not_proceed(
    store: Store, relay: Callable[[], None]
) -> None:
    """The relay died after it had handed it over, before it had noted that."""
    application = await new_application(store)
    older, _ = [await new_deployment(store, application) for _ in range(2)]
    relay()
    await ended(store, older)

    assert not await start(store, older)
    assert (await row_of(store, older)).reason == "superseded"


@pytest.mark.parametrize(("called", "places"), [(False, _PLACES), (True, 2)])
async def test_few_deployments_are_in_transit_and_fewer_while_calls_arrive(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch, called: bool, places: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(Store, "was_called", lambda *_: called)
    monkeypatch.setattr("aweigh.store.outbox.ANSWERED_WITHIN", outbox.REPEAT_AFTER)
    made = [
        await new_deployment(store, await new_application(store, f"shop-{number}"))
        for number in range(places + 2)
    ]
    relay()
    await until(lambda: len(temporal.handed_over) >= places)
    removed = await new_application(store, "removed")
    async with store.write() as tx:
        found = await applications.find(tx, removed, lock=True)
        await removals.request(tx, found.row, volumes=False)
    await until(lambda: len(temporal.handed_over) > places)
    assert temporal.handed_over[-1][1] == "", "which waits for no place"

    await start(store, made[0])
    await until(lambda: len(temporal.handed_over) == places + 2)

    assert temporal.handed_over[-1][1] == made[places]


async def test_a_hand_over_without_a_record_blocks_others_briefly(
    store: Store, temporal: FakeTemporal, relay: Callable[[], None]
) -> None:
    for number in range(_PLACES + 2):
        await new_deployment(store, await new_application(store, f"shop-{number}"))
    relay()

    await until(lambda: len(temporal.handed_over) == _PLACES + 2)
