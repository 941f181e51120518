"""What a lane is told of the turns that somebody asked it for."""

import pytest

from aweigh.deployments.application import Policy
from aweigh.deployments.turn import Turn
from aweigh.deployments.workflow_ids import lane_id
from aweigh.store import applications
from aweigh.store.database import Store
from aweigh.store.lanes import Lanes
from aweigh.store.tables import DeploymentRow, ReleaseRow
from tests.support.installation import IMAGE, new_application, new_deployment, start, succeed

SHOP = lane_id("shop")


async def ask_removal(store: Store, application: str) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await applications.ask_removal(tx, found.row, volumes=True)


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
        await applications.removed(tx, application)
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


async def test_one_that_cannot_be_read_keeps_no_other_from_its_turn(store: Store) -> None:
    application = await new_application(store)
    broken, made = [await new_deployment(store, application) for _ in range(2)]
    async with store.write() as tx:
        row = await tx.session.get_one(DeploymentRow, broken)
        (await tx.session.get_one(ReleaseRow, row.release_id)).settings = "v1:00000000:lost"

    [turn] = await Lanes(store).turns(SHOP, [broken, made])

    assert turn.deployment_id == made
