"""The relay hands every due row over to Temporal until a record closes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from temporalio.service import RPCStatusCode

from api.relay import Relay
from aweigh.deployments.deployment import Trigger
from aweigh.deployments.workflow_ids import deployment_workflow_id, lane_id
from aweigh.store import admission, applications, deployments, outbox, removals
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, DeploymentRow
from tests.support.installation import (
    create_application,
    new_application,
    new_deployment,
    start,
)
from tests.support.temporal import FakeTemporal, rpc_error


@pytest.fixture
async def relay(store: Store, temporal: FakeTemporal) -> AsyncIterator[Relay]:
    made = Relay(store, temporal.connect)
    running = asyncio.create_task(made.run())
    yield made
    assert not running.done()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.01)


def hands_over(temporal: FakeTemporal, count: int) -> bool:
    return len(temporal.handed_over) == count


async def ask(store: Store, kind: str, subject: str) -> None:
    async with store.write() as tx:
        await outbox.put(tx, kind, subject)


async def state(store: Store, deployment_id: str) -> tuple[str, str | None]:
    async with store.read() as tx:
        row = await deployments.find_row(tx, deployment_id)
    return row.state, row.reason


async def test_a_deployment_is_handed_to_its_lane(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    application = await new_application(store)
    made = await new_deployment(store, application, tag="v2")
    relay.wake()
    await until(lambda: temporal.handed_over)

    assert temporal.handed_over == [(lane_id("shop"), made)]
    await until(lambda: relay.connected)


async def test_a_removal_is_handed_to_the_same_lane(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    application = await new_application(store)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=True)
    relay.wake()
    await until(lambda: temporal.handed_over)

    assert temporal.handed_over == [(lane_id("shop"), "")]


async def test_what_was_accepted_while_temporal_was_away_is_handed_over_when_it_is_back(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    temporal.away = True
    made = [
        await new_deployment(store, await new_application(store, name))
        for name in ("shop", "blog", "mail")
    ]
    relay.wake()
    await asyncio.sleep(0)
    assert not relay.connected

    temporal.away = False
    await until(lambda: len(temporal.handed_over) == 3)

    assert {told for _, told in temporal.handed_over} == set(made)


async def test_what_comes_while_rows_are_handed_over_is_handed_over_too(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    for number in range(5):
        await new_deployment(store, await new_application(store, f"shop-{number}"))
        relay.wake()
        await asyncio.sleep(0)

    await until(lambda: len(temporal.handed_over) == 5)


async def test_more_than_it_takes_at_once_are_handed_over_in_one_go(
    store: Store, temporal: FakeTemporal, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.relay._IN_TRANSIT", 1000)
    async with store.write() as tx:
        for number in range(120):
            application = await create_application(tx, f"shop-{number}")
            order = admission.Order(trigger=Trigger.HOOK, actor="hook")
            await admission.admit(tx, application, order)
    relay.wake()

    await until(lambda: len(temporal.handed_over) == 120)

    assert len({lane for lane, _ in temporal.handed_over}) == 120


async def test_one_that_cannot_be_handed_over_holds_no_other_up(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")
    temporal.failing = {lane_id("shop"): rpc_error(RPCStatusCode.UNAVAILABLE)}
    await new_deployment(store, shop)
    await new_deployment(store, blog)
    relay.wake()
    await until(lambda: temporal.handed_over)
    assert [lane for lane, _ in temporal.handed_over] == [lane_id("blog")]

    temporal.failing = {}
    relay.wake()

    await until(lambda: len(temporal.handed_over) == 2)


async def test_many_that_cannot_be_handed_over_hold_no_other_up(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    failing = [f"shop-{number}" for number in range(60)]
    temporal.failing = {
        lane_id(name): rpc_error(RPCStatusCode.INVALID_ARGUMENT) for name in failing
    }
    for name in (*failing, "blog"):
        await new_deployment(store, await new_application(store, name))
    relay.wake()

    await until(lambda: temporal.handed_over)


async def test_one_whose_application_is_lost_holds_no_other_up(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    await ask(store, outbox.REMOVE, "app_00000000000000000000000000")
    await ask(store, outbox.DEPLOY, "dep_00000000000000000000000000")
    await ask(store, outbox.CANCEL, "dep_00000000000000000000000000")
    application = await new_application(store)
    for count in (1, 2):
        await new_deployment(store, application)
        relay.wake()

        await until(partial(hands_over, temporal, count))


async def test_one_that_ended_meanwhile_is_not_handed_over(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    application = await new_application(store)
    ended = await new_deployment(store, application)
    async with store.write() as tx:
        (await tx.session.get_one(DeploymentRow, ended)).state = "failed"
    made = await new_deployment(store, application)
    relay.wake()
    await until(lambda: temporal.handed_over)

    assert [told for _, told in temporal.handed_over] == [made]


async def test_a_cancel_goes_to_the_workflow(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    temporal.known = {deployment_workflow_id("shop", 1, made)}
    await ask(store, outbox.CANCEL, made)
    relay.wake()

    await until(lambda: temporal.cancelled)

    assert temporal.cancelled == [deployment_workflow_id("shop", 1, made)]
    assert await state(store, made) == ("started", None)


async def test_a_cancel_of_one_that_temporal_does_not_know_is_its_end(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    made = await new_deployment(store, await new_application(store))
    await ask(store, outbox.CANCEL, made)
    relay.wake()
    async with asyncio.timeout(300):
        while (await state(store, made))[0] == "created":
            await asyncio.sleep(0.01)

    assert await state(store, made) == ("failed", "cancelled")
    assert not await start(store, made)


async def test_a_cancel_of_one_that_runs_is_never_its_end_by_itself(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    await ask(store, outbox.CANCEL, made)
    relay.wake()
    await until(lambda: relay.connected)

    assert await state(store, made) == ("started", None)


async def test_an_application_row_is_enough_to_remove_it(
    store: Store, temporal: FakeTemporal, relay: Relay
) -> None:
    application = await new_application(store)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
        (await tx.session.get_one(ApplicationRow, application)).settings = "v1:00000000:lost"
    relay.wake()

    await until(lambda: temporal.handed_over)
