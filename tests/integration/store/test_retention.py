"""Logs and events of deployments: kept for a time, and as long as they are live."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.store import lifecycle, logs, retention
from aweigh.store.database import Store
from aweigh.temporal.executions import Executions
from aweigh.temporal.record_comparison import RecordComparison
from tests.support.installation import (
    SERVER,
    events_of,
    new_application,
    new_deployment,
    start,
    succeed,
)

EVENTS = {
    "failed": ["deployment.created", "deployment.failed"],
    "replaced": ["deployment.created", "deployment.succeeded"],
    "live": ["deployment.created", "deployment.succeeded"],
    "running": ["deployment.created", "deployment.started"],
}


@pytest.fixture
async def deployments(store: Store) -> dict[str, str]:
    """One of each kind, with a log."""
    application = await new_application(store)
    made = {kind: await new_deployment(store, application) for kind in EVENTS}
    async with store.write() as tx:
        await lifecycle.failed(tx, made["failed"], Reason.UNHEALTHY, "")
    await succeed(store, made["replaced"])
    await succeed(store, made["live"])
    await start(store, made["running"])
    async with store.write() as tx:
        for one in made.values():
            await logs.append(tx, one, 0, b"a line\n")
    return made


async def kept(store: Store, deployments: dict[str, str]) -> dict[str, list[str]]:
    """The kinds that have a log still, and their events."""
    async with store.read() as tx:
        lengths = {kind: await logs.length(tx, one) for kind, one in deployments.items()}
    return {kind: await events_of(store, deployments[kind]) for kind, of in lengths.items() if of}


async def test_logs_and_events_go_when_they_have_had_their_time(
    store: Store, deployments: dict[str, str]
) -> None:
    for days, left in ((89, EVENTS.keys()), (91, {"live", "running"})):
        async with store.write() as tx:
            await retention.forget(replace(tx, now=tx.now + timedelta(days=days)), timedelta(90))

        assert await kept(store, deployments) == {kind: EVENTS[kind] for kind in left}
    assert await events_of(store, deployments["failed"]) == []


async def test_the_reconciler_removes_them(store: Store, deployments: dict[str, str]) -> None:
    await succeed(store, deployments["running"])
    nobody_asks = cast(Executions, None)

    await RecordComparison(store, nobody_asks, timedelta(0)).run(SERVER, "run-r")

    assert list(await kept(store, deployments)) == ["running"]
