"""One key, one deployment."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from aweigh.core.errors import Invalid
from aweigh.deployments.deployment import Trigger
from aweigh.store import admission, applications, idempotency
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.idempotency import Key
from tests.support.installation import new_application, new_deployment

KEY = Key(endpoint="hook", value="build-7", body_hash="0")


async def deploy(store: Store, application_id: str, key: Key = KEY) -> str:
    """What the hook does in its transaction."""
    async with store.write() as tx:
        application = await applications.find(tx, application_id, lock=True)
        if known := await idempotency.find(tx, application_id, key):
            return known
        order = Order(trigger=Trigger.HOOK, actor="hook")
        made = (await admission.admit(tx, application, order)).id
        idempotency.remember(tx, application_id, key, made)
        return made


async def test_a_repeated_call_gets_the_first_ones_deployment(store: Store) -> None:
    application = await new_application(store)

    assert await deploy(store, application) == await deploy(store, application)


async def test_many_at_once_with_one_key_make_one_deployment(store: Store) -> None:
    application = await new_application(store)

    made = await asyncio.gather(*(deploy(store, application) for _ in range(20)))

    assert len(set(made)) == 1
    async with store.read() as tx:
        assert (await applications.find(tx, application)).row.last_sequence == 1


async def test_a_key_with_another_body_is_refused(store: Store) -> None:
    application = await new_application(store)
    await deploy(store, application)

    with pytest.raises(Invalid, match="with another body within 7 days") as caught:
        await deploy(store, application, replace(KEY, body_hash="1"))

    assert caught.value.field == "Idempotency-Key"


async def test_keys_count_by_application_and_door(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")

    made = [
        await deploy(store, shop),
        await deploy(store, blog),
        await deploy(store, shop, replace(KEY, endpoint="deployments")),
        await deploy(store, shop, replace(KEY, value="build-8")),
    ]

    assert len(set(made)) == 4


@pytest.mark.parametrize(("days", "known"), [(6.9, True), (7.1, False)])
async def test_a_key_is_kept_for_seven_days(store: Store, days: float, known: bool) -> None:
    application = await new_application(store)
    made = await deploy(store, application)

    async with store.write() as tx:
        later = replace(tx, now=tx.now + timedelta(days=days))
        found = await idempotency.find(later, application, KEY)

    assert found == (made if known else None)


async def test_a_key_is_forgotten_with_the_deployment_it_could_not_make(store: Store) -> None:
    application = await new_application(store)

    async def deploy_and_fail() -> None:
        async with store.write() as tx:
            found = await applications.find(tx, application, lock=True)
            order = Order(trigger=Trigger.HOOK, actor="hook")
            made = await admission.admit(tx, found, order)
            idempotency.remember(tx, application, KEY, made.id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await deploy_and_fail()

    made = await deploy(store, application)
    assert await new_deployment(store, application) != made
    async with store.read() as tx:
        assert (await applications.find(tx, application)).row.last_sequence == 2
