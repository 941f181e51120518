"""What the database expects on one server, for the reconciler and the sweep."""

from aweigh.contract import Inventory, KnownApplication, KnownDeployment
from aweigh.deployments.deployment import DeploymentState, Reason, Trigger
from aweigh.store import admission, applications, inventory, lifecycle, removals
from aweigh.store.database import Store
from tests.support.installation import SERVER, new_application, new_deployment, start, succeed


async def inventory_of(
    store: Store, keep: int = 2, server: str = SERVER, application: str | None = None
) -> Inventory:
    async with store.read() as tx:
        return await inventory.of_server(tx, server, keep, application)


async def test_every_application_is_told_with_its_deployments(store: Store) -> None:
    application = await new_application(store)
    ended, begun, waiting = [await new_deployment(store, application) for _ in range(3)]
    await succeed(store, ended)
    await start(store, begun)

    assert await inventory_of(store) == Inventory(
        instance="0123456789abcdef",
        applications=(
            KnownApplication(
                id=application, slug="shop", live=ended, highest_sequence=3, keep=(1, 3, 2),
                ended_below=4,
                deployments=(
                    KnownDeployment(id=waiting, sequence=3, state=DeploymentState.CREATED),
                    KnownDeployment(id=begun, sequence=2, state=DeploymentState.STARTED),
                    KnownDeployment(id=ended, sequence=1, state=DeploymentState.SUCCEEDED),
                ),
            ),
        ),
    )  # fmt: skip


async def test_images_of_the_last_releases_and_of_what_is_in_flight_stay(store: Store) -> None:
    application = await new_application(store)
    made = [await new_deployment(store, application) for _ in range(6)]
    for one in (made[0], made[1], made[3]):
        await succeed(store, one)
    async with store.write() as tx:
        await lifecycle.failed(tx, made[4], Reason.UNHEALTHY, "no")

    (known,) = (await inventory_of(store)).applications

    assert set(known.keep) == {4, 2, 3, 6}


async def test_a_removed_application_is_told_as_removed_when_it_is_asked_for(
    store: Store,
) -> None:
    application, blog = await new_application(store), await new_application(store, "blog")
    await succeed(store, await new_deployment(store, application))
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
        await removals.succeeded(tx, application)

    (known,) = (await inventory_of(store, application=application)).applications

    assert (known.removed, known.live, known.highest_sequence) == (True, None, 2)
    assert [one.id for one in (await inventory_of(store)).applications] == [blog]


async def test_one_application_can_be_asked_for(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")

    (known,) = (await inventory_of(store, application=blog)).applications

    assert known.id == blog
    assert (await inventory_of(store, server="eu-1", application=shop)).applications == ()


async def test_what_is_told_does_not_grow_with_what_has_ended(store: Store) -> None:
    application = await new_application(store)
    waiting, live, failed = [await new_deployment(store, application) for _ in range(3)]
    await succeed(store, live)
    async with store.write() as tx:
        await lifecycle.failed(tx, failed, Reason.UNHEALTHY, "no")
        found = await applications.find(tx, application, lock=True)
        for _ in range(120):
            order = admission.Order(trigger=Trigger.HOOK, actor="hook")
            made = await admission.admit(tx, found, order)
            await lifecycle.failed(tx, made.id, Reason.UNHEALTHY, "no")

    (known,) = (await inventory_of(store)).applications

    assert [one.sequence for one in known.deployments] == [*range(123, 23, -1), 2, 1]
    assert known.live_deployment == KnownDeployment(
        id=live, sequence=2, state=DeploymentState.SUCCEEDED
    )
    assert known.keep == (2, 1)
    assert known.in_flight
    assert known.deployments[-1].id == waiting
    ended = [number for number in range(126) if known.has_ended(number)]
    assert ended == [*range(2, 124)]


async def test_another_servers_applications_are_not_told(store: Store) -> None:
    await new_application(store)

    assert (await inventory_of(store, server="eu-1")).applications == ()
