"""How many deliveries of a channel are under way at a time."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import update

from aweigh.deployments.deployment import DeploymentState
from aweigh.store import deliveries, dispatch
from aweigh.store.database import Store
from aweigh.store.tables import DeploymentRow
from tests.support.channels import (
    BROKEN,
    begin,
    deliver,
    deliveries_of,
    dispatched,
    fail,
    handed_over,
    new_channel,
    states,
)
from tests.support.installation import new_application, new_deployment, start, succeed


async def many(store: Store, number: int) -> None:
    """Write so many events of deployments that do not run any more."""
    application = await new_application(store)
    for _ in range(number):
        await new_deployment(store, application)
    async with store.write() as tx:
        await tx.session.execute(update(DeploymentRow).values(state=DeploymentState.FAILED))


async def sending(store: Store, channel: str) -> list[str]:
    return [row.id for row in await deliveries_of(store, channel) if row.state == "sending"]


async def all_sending(store: Store, channels: Iterable[str]) -> list[str]:
    return [one for channel in channels for one in await sending(store, channel)]


async def test_few_deliveries_of_a_channel_are_sent_at_a_time(store: Store) -> None:
    channel = await new_channel(store)
    await many(store, dispatch.WINDOW + 3)
    await dispatched(store)
    await dispatched(store)
    assert len(await sending(store, channel)) == dispatch.WINDOW

    for one in (await sending(store, channel))[:2]:
        await deliver(store, one)
    await dispatched(store)

    assert len(await sending(store, channel)) == dispatch.WINDOW
    assert len(await handed_over(store)) == dispatch.WINDOW


async def test_few_deliveries_of_all_channels_keep_the_processors_busy(store: Store) -> None:
    channels = [await new_channel(store, name=f"channel-{number}") for number in range(5)]
    await many(store, 1)

    await dispatched(store, busy=2)
    await dispatched(store, busy=2)
    assert len(await all_sending(store, channels)) == 2

    await dispatched(store, timedelta(seconds=2), busy=2)  # those that hang need no processor
    assert len(await all_sending(store, channels)) == 4

    for one in await all_sending(store, channels):
        await deliver(store, one)
    await dispatched(store, busy=2)
    assert len(await all_sending(store, channels)) == 1


async def test_channels_that_accept_nothing_come_last_and_hold_up_no_other(store: Store) -> None:
    failing, ops = await new_channel(store), await new_channel(store, name="chat")
    await many(store, 3)
    await dispatched(store, busy=1)
    await fail(store, (await sending(store, failing))[0], again=False)

    await dispatched(store, busy=2)
    assert [len(await sending(store, one)) for one in (failing, ops)] == [0, 2]

    for one in await sending(store, ops):
        await deliver(store, one)
    await dispatched(store, busy=2)
    assert [len(await sending(store, one)) for one in (failing, ops)] == [1, 1]
    await dispatched(store, busy=2)
    assert [len(await sending(store, one)) for one in (failing, ops)] == [2, 1]


async def test_few_deliveries_are_begun_each_second_while_a_deployment_runs(store: Store) -> None:
    channels = [await new_channel(store, name=name) for name in ("ops", "chat")]
    await many(store, 2 * dispatch.WINDOW)
    running = await new_deployment(store, await new_application(store, "blog"))
    await dispatched(store, while_deploying=3)
    for one in await all_sending(store, channels):
        await deliver(store, one)
    await dispatched(store, while_deploying=3)
    assert await all_sending(store, channels) == []

    await dispatched(store, timedelta(seconds=2), while_deploying=3)
    assert len(await all_sending(store, channels)) == 3

    await start(store, running)
    await succeed(store, running)
    await dispatched(store, while_deploying=3)

    assert [len(await sending(store, one)) for one in channels] == [dispatch.WINDOW] * 2


async def test_a_deployment_that_takes_long_slows_no_channel(store: Store) -> None:
    channel = await new_channel(store)
    await many(store, dispatch.WINDOW)
    await new_deployment(store, await new_application(store, "blog"))

    await dispatched(store, timedelta(minutes=11), while_deploying=1)

    assert len(await sending(store, channel)) == dispatch.WINDOW


async def test_a_channel_that_accepts_nothing_collects_few_repetitions(store: Store) -> None:
    channel = await new_channel(store)
    await many(store, dispatch.WINDOW + 5)
    await dispatched(store)
    while found := await sending(store, channel):
        for one in found:
            await fail(store, one)
        await dispatched(store)

    attempted = [row.id for row in await deliveries_of(store, channel) if row.attempts]
    assert len(attempted) == dispatch.WINDOW  # as many as were sent before the first one failed

    await deliver(store, attempted[0])
    await dispatched(store)
    assert len(await sending(store, channel)) == 5


async def test_an_attempt_that_was_lost_occupies_no_place_for_ever(store: Store) -> None:
    channel = await new_channel(store)
    await many(store, dispatch.WINDOW + 1)
    await dispatched(store)
    for one in await sending(store, channel):
        await begin(store, one)

    await dispatched(store, later=timedelta(minutes=9))

    assert [row.state for row in await deliveries_of(store, channel)] == ["sending"] * 9


async def test_a_channel_that_asks_for_a_pause_gets_nothing_more_before(store: Store) -> None:
    channel = await new_channel(store)
    await many(store, dispatch.WINDOW + 1)
    await dispatched(store)
    first, *others = await sending(store, channel)
    await begin(store, first)
    async with store.write() as tx:
        until = tx.now + timedelta(minutes=2)
        await deliveries.failed(tx, first, BROKEN, "429", retry_at=until, paused_until=until)
    for one in others:
        await deliver(store, one)

    await dispatched(store)
    assert await sending(store, channel) == []

    await dispatched(store, later=timedelta(minutes=2))
    assert len(await sending(store, channel)) == 1


async def test_a_channel_that_accepts_some_collects_a_limited_number_of_repetitions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "WINDOW_OF_REPETITIONS", 3)
    channel = await new_channel(store)
    await many(store, dispatch.WINDOW)
    await dispatched(store)
    accepted, *others = await sending(store, channel)
    for one in others:
        await fail(store, one)
    await deliver(store, accepted)

    await dispatched(store)

    kinds = [state for _, state in await states(store, channel)]
    assert (kinds.count("retrying"), kinds.count("waiting")) == (2, 4)
