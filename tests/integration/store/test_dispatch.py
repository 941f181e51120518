"""Which channels are told of which events, when, and in which order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aweigh.store import channels, dispatch, events
from aweigh.store.database import Store
from tests.support.channels import (
    channel_of,
    deliver,
    deliveries_of,
    dispatched,
    fail,
    handed_over,
    new_channel,
    states,
)
from tests.support.installation import new_application, new_deployment, start, succeed


async def deployed(store: Store, application: str) -> str:
    made = await new_deployment(store, application)
    await start(store, made)
    await succeed(store, made)
    return made


async def test_each_event_makes_one_delivery_for_each_channel(store: Store) -> None:
    ops, chat = await new_channel(store), await new_channel(store, name="chat")
    await deployed(store, await new_application(store))

    await dispatched(store)
    await dispatched(store)

    for channel in (ops, chat):
        found = await deliveries_of(store, channel)
        assert [row.kind for row in found] == [
            "deployment.created", "deployment.started", "deployment.succeeded",
        ]  # fmt: skip
        assert len({row.message_id for row in found}) == 3


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["created", "started", "succeeded"]),
        ({"events": ["deployment.succeeded"]}, ["succeeded"]),
        ({"events": []}, []),
        ({"applications": ["shop"]}, ["created", "started", "succeeded"]),
        ({"applications": ["blog"]}, []),
        ({"labels": {"team": "a"}}, ["created", "started", "succeeded"]),
        ({"labels": {"team": "a", "tier": "1"}}, []),
        ({"applications": ["shop"], "labels": {"team": "b"}}, []),
        ({"enabled": False}, []),
    ],
)
async def test_a_channel_is_told_of_what_it_wants(
    store: Store, fields: Mapping[str, Any], told: list[str]
) -> None:
    channel = await new_channel(store, **fields)
    await deployed(store, await new_application(store, labels={"team": "a"}))

    await dispatched(store)

    assert [kind for kind, _ in await states(store, channel)] == told


async def test_a_channel_may_name_an_application_by_its_id(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")
    channel = await new_channel(store, applications=[shop])
    await new_deployment(store, shop)
    await new_deployment(store, blog)

    await dispatched(store)

    assert len(await deliveries_of(store, channel)) == 1


async def test_nobody_is_told_of_an_application_that_is_not_to_notify(store: Store) -> None:
    channel = await new_channel(store)
    await deployed(store, await new_application(store, notify=False))

    await dispatched(store)

    assert await deliveries_of(store, channel) == []


async def test_a_new_channel_is_told_of_later_events_only(store: Store) -> None:
    application = await new_application(store)
    await deployed(store, application)

    channel = await new_channel(store)
    await new_deployment(store, application)
    await dispatched(store)

    assert await states(store, channel) == [("created", "sending")]


async def test_a_channel_is_not_told_of_what_happened_while_it_was_disabled(store: Store) -> None:
    channel = await new_channel(store, enabled=False)
    application = await new_application(store)
    await new_deployment(store, application)
    async with store.write() as tx:
        row = await channels.find_row(tx, channel, lock=True)
        await channels.change(tx, row, channel_of())
    await start(store, await new_deployment(store, application))

    await dispatched(store)

    kinds = [kind for kind, _ in await states(store, channel)]
    assert kinds == ["created", "started"]


async def test_events_of_a_restored_database_are_too_old(store: Store) -> None:
    channel = await new_channel(store)
    await new_deployment(store, await new_application(store))

    await dispatched(store, later=timedelta(hours=24, minutes=1))
    await dispatched(store)

    assert await deliveries_of(store, channel) == []


async def test_a_delivery_of_a_restored_database_is_not_released(store: Store) -> None:
    channel = await new_channel(store)
    await new_deployment(store, await new_application(store))
    async with store.write() as tx:
        await dispatch.dispatch(tx)

    async with store.write() as tx:
        then = replace(tx, now=tx.now + timedelta(hours=26))
        assert await dispatch.release(then, busy=100, while_deploying=100) == 0

    assert await states(store, channel) == [("created", "waiting")]


async def test_many_events_are_dispatched_in_several_transactions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aweigh.store.dispatch._AT_ONCE", 2)
    channel = await new_channel(store)
    await deployed(store, await new_application(store))

    async with store.write() as tx:
        assert await dispatch.dispatch(tx)
    async with store.write() as tx:
        assert not await dispatch.dispatch(tx)

    assert len(await deliveries_of(store, channel)) == 3


async def test_a_later_event_of_a_deployment_waits_for_the_end_of_the_earlier(
    store: Store,
) -> None:
    channel = await new_channel(store)
    await deployed(store, await new_application(store))
    await dispatched(store)
    created, started, succeeded = [one.id for one in await deliveries_of(store, channel)]
    assert await handed_over(store) == [created]

    await fail(store, created)
    await dispatched(store)
    assert await handed_over(store) == []

    await deliver(store, created)
    await dispatched(store)
    assert await handed_over(store) == [started]

    await fail(store, started, again=False)
    await dispatched(store)
    assert await handed_over(store) == [succeeded]


async def test_one_channel_does_not_wait_for_another(store: Store) -> None:
    slow, quick = await new_channel(store), await new_channel(store, name="quick")
    await deployed(store, await new_application(store))
    await dispatched(store)

    await deliver(store, (await deliveries_of(store, quick))[0].id)
    await dispatched(store)

    assert await states(store, quick) == [
        ("created", "delivered"), ("started", "sending"), ("succeeded", "waiting"),
    ]  # fmt: skip
    assert (await states(store, slow))[1:] == [("started", "waiting"), ("succeeded", "waiting")]


async def test_a_channel_that_cannot_be_read_hinders_no_other(store: Store) -> None:
    broken, ops = await new_channel(store), await new_channel(store, name="chat")
    async with store.write() as tx:
        row = await channels.find_row(tx, broken, lock=True)
        row.settings = "v1:00000000:lost"
    await new_deployment(store, await new_application(store))

    await dispatched(store)

    assert await states(store, ops) == [("created", "sending")]
    assert await deliveries_of(store, broken) == []


async def test_events_without_a_channel_are_passed_over_once(store: Store) -> None:
    made = await new_deployment(store, await new_application(store))
    async with store.read() as tx:
        assert not await dispatch.has_channels(tx)
        assert await dispatch.has_events(tx)
    channel = await new_channel(store)

    await dispatched(store)

    async with store.read() as tx:
        assert await dispatch.has_channels(tx)
        assert not await dispatch.has_events(tx)
    assert await deliveries_of(store, channel) == []
    await start(store, made)
    await dispatched(store)
    assert await states(store, channel) == [("started", "sending")]


async def test_channels_that_cannot_be_read_are_not_read_again_and_again(store: Store) -> None:
    channel = await new_channel(store)
    async with store.write() as tx:
        (await channels.find_row(tx, channel, lock=True)).settings = "v1:00000000:lost"
    await new_deployment(store, await new_application(store))

    await dispatched(store)

    async with store.read() as tx:
        assert not await dispatch.has_events(tx)


async def test_a_channel_that_is_created_during_a_dispatch_misses_nothing(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("it has one writer at a time")
    application = await new_application(store)
    made: list[str] = []
    after = events.after

    async def late(*given: Any) -> list[events.Event]:
        if not made:
            made.append(await new_channel(store))
            await new_deployment(store, application)
        return await after(*given)

    monkeypatch.setattr(events, "after", late)
    await dispatched(store)
    await dispatched(store)

    assert await states(store, made[0]) == [("created", "sending")]
