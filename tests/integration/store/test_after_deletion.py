"""What referred to a deployment that was deleted."""

import pytest

from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import Reason, Trigger
from aweigh.store import (
    admission,
    applications,
    deployments,
    idempotency,
    inventory,
    lifecycle,
    outbox,
)
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.idempotency import Key
from aweigh.store.tables import (
    DomainClaim,
    OutboxRow,
)
from tests.support.deleting import KEEP, again, delete, fail, ids_in, succeeded
from tests.support.installation import (
    SERVER,
    new_application,
    new_deployment,
    succeed,
)


async def test_pointers_of_other_deployments_keep_its_id(store: Store) -> None:
    application = await new_application(store)
    failed, replaced = [await new_deployment(store, application) for _ in range(2)]
    await fail(store, failed)
    retry = await again(store, failed, Trigger.RETRY)
    await succeed(store, retry)
    async with store.write() as tx:
        await lifecycle.failed(tx, replaced, Reason.SUPERSEDED, "", superseded_by=retry)

    await delete(store, failed)

    async with store.read() as tx:
        assert (await deployments.find_row(tx, retry)).retry_of == failed
        assert (await deployments.find_row(tx, replaced)).superseded_by == retry


async def test_claims_stay_with_what_is_live(store: Store) -> None:
    application = await new_application(store, domains=[{"host": "shop.example.com"}])
    [live] = await succeeded(store, application, 1)
    failed = await new_deployment(store, application)
    await fail(store, failed)

    await delete(store, failed)

    assert await ids_in(store, DomainClaim, DomainClaim.application_id) == {application}
    async with store.read() as tx:
        assert await deployments.release_of(tx, await deployments.find_row(tx, live))


async def test_nothing_is_left_to_hand_over(store: Store) -> None:
    made = await new_deployment(store, await new_application(store))
    await fail(store, made)
    async with store.write() as tx:
        await outbox.put(tx, outbox.CANCEL, made)  # as if asked for just before the end

    await delete(store, made)

    assert await ids_in(store, OutboxRow, OutboxRow.subject) == set()


async def test_a_call_repeated_with_its_key_makes_no_second_deployment(store: Store) -> None:
    application = await new_application(store)
    key = Key(endpoint="hook", value="build-7", body_hash="0")
    order = Order(trigger=Trigger.HOOK, actor="hook")
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        made = (await admission.admit_once(tx, found, order, key)).id
    await fail(store, made)
    await delete(store, made)

    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        with pytest.raises(Conflict, match=f"{made}, which an earlier call with this Idempotency"):
            await admission.admit_once(tx, found, order, key)
        assert await idempotency.find(tx, application, key) == made
        assert found.row.last_sequence == 1


async def test_the_server_keeps_nothing_of_it(store: Store) -> None:
    application = await new_application(store)
    made = await succeeded(store, application, 4)
    async with store.read() as tx:
        (known,) = (await inventory.of_server(tx, SERVER, KEEP)).applications
    assert set(known.keep) == {1, 2, 3, 4}

    await delete(store, made[1])

    async with store.read() as tx:
        (known,) = (await inventory.of_server(tx, SERVER, KEEP)).applications
    assert set(known.keep) == {1, 3, 4}
    assert [known.has_ended(number) for number in range(6)] == [False, *[True] * 4, False]
    assert known.state_of(2) is None


async def test_the_sequence_of_a_deleted_deployment_is_not_given_again(store: Store) -> None:
    application = await new_application(store)
    made = await new_deployment(store, application)
    await fail(store, made)
    await delete(store, made)

    newer = await new_deployment(store, application)

    async with store.read() as tx:
        assert (await deployments.find_row(tx, newer)).sequence == 2
