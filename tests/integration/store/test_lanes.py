"""What a lane is told of the turns that somebody asked it for."""

import pytest
from cryptography.fernet import Fernet

from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import Trigger
from aweigh.deployments.turn import Turn
from aweigh.deployments.workflow_ids import lane_id
from aweigh.secrets.vault import SealOwner, Vault
from aweigh.store import admission, applications, deployments, lanes, outbox, removals
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.lanes import Lanes
from aweigh.store.tables import DeploymentRow
from tests.support.installation import (
    IMAGE,
    new_application,
    new_deployment,
    settings_of,
    start,
    succeed,
)

SHOP = lane_id("shop")


async def ask_removal(store: Store, application: str) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=True)


async def test_a_deployment_is_known_with_all_that_its_lane_needs(store: Store) -> None:
    application = await new_application(store, policy="queue")
    made = await new_deployment(store, application, tag="v2")

    assert await Lanes(store).turns(SHOP, [made]) == [
        Turn(
            application_id=application, slug="shop", server="local", sequence=1,
            deployment_id=made, reference=f"{IMAGE}:v2", label="v2", policy=Policy.QUEUE,
        )
    ]  # fmt: skip


async def test_a_removal_is_known_until_it_is_done(store: Store) -> None:
    application = await new_application(store)
    assert await Lanes(store).turns(SHOP, [""]) == []

    await ask_removal(store, application)
    [asked] = await Lanes(store).turns(SHOP, [""])
    async with store.write() as tx:
        await removals.succeeded(tx, application)
    [done] = await Lanes(store).turns(SHOP, [""])

    assert asked == Turn(
        application_id=application, slug="shop", server="local", sequence=1, removal=True,
        volumes=True,
    )  # fmt: skip
    assert done.ended


async def test_they_come_in_their_order_and_say_which_have_ended(store: Store) -> None:
    application = await new_application(store)
    made = [await new_deployment(store, application) for _ in range(3)]
    await start(store, made[0])
    await succeed(store, made[0])
    await start(store, made[1])
    await ask_removal(store, application)

    turns = await Lanes(store).turns(SHOP, ["", *reversed(made)])

    assert [turn.sequence for turn in turns] == [1, 2, 3, 4]
    assert [turn.ended for turn in turns] == [True, False, False, False]


@pytest.mark.parametrize(
    "made_up", ["dep_00000000000000000000000000", "../../victim", "dep_\0", "x" * 1000]
)
async def test_what_nobody_asked_of_the_api_is_unknown(store: Store, made_up: str) -> None:
    application = await new_application(store)
    made = await new_deployment(store, application)

    [turn] = await Lanes(store).turns(SHOP, [made_up, made])

    assert turn.deployment_id == made


async def test_a_lane_is_told_of_its_own_application_only(store: Store) -> None:
    made = await new_deployment(store, await new_application(store))
    other = await new_application(store, "blog")
    await ask_removal(store, other)

    for lane in (lane_id("blog"), "shop", "application/", "application/../shop", "forged/shop", ""):
        assert await Lanes(store).turns(lane, [made]) == []
    assert await Lanes(store).turns(SHOP, [""]) == []


class SealedVault(Vault):
    """A vault that opens nothing."""

    def __init__(self) -> None:
        super().__init__({"0a0b0c0d": Fernet(Fernet.generate_key())})

    def open(self, owner: SealOwner, sealed: str) -> str:
        raise AssertionError(f"{owner} was opened")


async def test_a_turn_is_handed_over_without_opening_any_secret(url: str, store: Store) -> None:
    application = await new_application(store, policy="queue", domains=[{"host": "a.example"}])
    older, newer = [await new_deployment(store, application, tag=tag) for tag in ("v2", "v3")]
    sealed = Store(url, SealedVault())

    turns = await Lanes(sealed).turns(SHOP, [older, newer])
    async with sealed.write() as tx:
        due = await outbox.due(tx)
        await lanes.supersede(tx, await lanes.superseded(tx, due))
    [ended, _] = await Lanes(sealed).turns(SHOP, [older, newer])
    await sealed.close()

    assert [(turn.policy, turn.label) for turn in turns] == [
        (Policy.QUEUE, "v2"), (Policy.QUEUE, "v3"),
    ]  # fmt: skip
    assert ended.ended


async def test_a_retry_keeps_the_policy_of_its_release(store: Store) -> None:
    application = await new_application(store, policy="queue")
    made = await new_deployment(store, application)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await applications.change(tx, found, settings_of(policy="supersede"))
        row = await deployments.find_row(tx, made)
        order = Order(trigger=Trigger.RETRY, actor="ci", retry_of=made)
        again = (await admission.admit_again(tx, found, row, order)).id

    [turn] = await Lanes(store).turns(SHOP, [again])

    assert turn.policy is Policy.QUEUE


async def test_an_unreadable_deployment_keeps_no_other_from_its_turn(store: Store) -> None:
    application = await new_application(store)
    broken, made = [await new_deployment(store, application) for _ in range(2)]
    async with store.write() as tx:
        (await tx.session.get_one(DeploymentRow, broken)).state = "unknown"

    [turn] = await Lanes(store).turns(SHOP, [broken, made])

    assert turn.deployment_id == made
