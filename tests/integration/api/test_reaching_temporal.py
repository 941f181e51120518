"""Whether Temporal answers is asked when it is told, not remembered."""

import asyncio
from typing import cast

from temporalio.client import Client

from api.relay import Relay
from aweigh.store.database import Store
from tests.support.temporal import FakeTemporal


async def test_whether_temporal_answers_is_told_while_nothing_is_due(store: Store) -> None:
    temporal = FakeTemporal()
    relay = Relay(store, temporal.connect)
    assert await relay.reaches_temporal()

    temporal.away = True
    assert not await relay.reaches_temporal()


async def test_a_connection_that_was_made_before_says_nothing_of_now(store: Store) -> None:
    temporal = FakeTemporal()

    async def connected() -> Client:
        return cast(Client, temporal)

    relay = Relay(store, connected)
    assert await relay.reaches_temporal()
    temporal.away = True
    assert not await relay.reaches_temporal()


async def test_nobody_waits_long_for_a_temporal_that_is_silent(store: Store) -> None:
    async with asyncio.timeout(300):
        assert not await Relay(store, FakeTemporal(silent=True).connect).reaches_temporal()
