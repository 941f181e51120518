"""Several processes dispatch, deliver, fail and disable at the same time."""

import asyncio
from collections import Counter
from datetime import timedelta

from aweigh.store import channels, deliveries
from aweigh.store.database import Store
from aweigh.store.tables import DeliveryRow
from tests.support.channels import (
    BROKEN,
    EMAIL,
    TAKEN,
    begin,
    deliveries_of,
    dispatched,
    new_channel,
    states,
)
from tests.support.installation import new_application, new_deployment, start, succeed

_DEPLOYMENTS = 6


async def test_two_processes_make_and_release_each_delivery_once(store: Store, url: str) -> None:
    names = [await new_channel(store, name=name) for name in ("ops", "chat")]
    other = Store(url, store._vault)
    try:
        application = await new_application(store)
        for _ in range(_DEPLOYMENTS):
            await new_deployment(store, application)
            await asyncio.gather(dispatched(store), dispatched(other))
    finally:
        await other.close()

    for channel in names:
        found = await deliveries_of(store, channel)
        assert Counter(row.event_id for row in found) == dict.fromkeys(
            range(1, _DEPLOYMENTS + 1), 1
        )


async def test_what_happens_at_once_keeps_the_order_and_ends(store: Store) -> None:
    ops = await new_channel(store)
    down = await new_channel(store, name="down")
    mail = await new_channel(store, name="mail", events=[], **EMAIL)
    sent: dict[str, list[tuple[str, str]]] = {ops: [], down: []}

    async def write(number: int) -> None:
        made = await new_deployment(store, await new_application(store, f"app-{number}"))
        await start(store, made)
        await succeed(store, made)

    async def deliver(row: DeliveryRow) -> None:
        attempt = await begin(store, row.id)
        if attempt is None or attempt.event is None:
            return
        sent[row.channel_id].append((attempt.event.deployment.id, attempt.kind))
        async with store.write() as tx:
            if row.channel_id == ops:
                await deliveries.delivered(tx, row.id, TAKEN)
                return
            await deliveries.failed(
                tx, row.id, BROKEN, "500", retry_at=tx.now + timedelta(seconds=1)
            )
            await channels.disable(tx, down, "It answered 410.", tx.now)

    writing = asyncio.gather(*(write(number) for number in range(_DEPLOYMENTS)))
    async with asyncio.timeout(300):
        while not writing.done() or len(sent[ops]) < 3 * _DEPLOYMENTS:
            await dispatched(store)
            rows = [*await deliveries_of(store, ops), *await deliveries_of(store, down)]
            await asyncio.gather(
                *(deliver(row) for row in rows if row.state == "sending"), dispatched(store)
            )
    await writing
    for row in await deliveries_of(store, down):
        await begin(store, row.id)

    for deployment in {one for one, _ in sent[ops]}:
        assert [kind for one, kind in sent[ops] if one == deployment] == [
            "deployment.created", "deployment.started", "deployment.succeeded",
        ]  # fmt: skip
    assert {state for _, state in await states(store, down)} <= {"dropped", "failed"}
    assert [kind for kind, _ in await states(store, mail)] == ["disabled"]
