"""Claims follow what is live and in flight, not the settings alone."""

from typing import Any

import pytest
from sqlalchemy import select

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import DeploymentState, Reason, StepState, Trigger
from aweigh.store import admission, applications, deployments, lifecycle, steps
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, DomainClaim, ReleaseRow
from tests.support.claims import NEW, SHOP, change, port, remove
from tests.support.installation import (
    new_application,
    new_deployment,
    start,
    succeed,
)


@pytest.fixture
async def shop(store: Store) -> str:
    """An application that is live on a domain and a port."""
    made = await new_application(store, domains=[SHOP], ports=[port(8080)])
    await succeed(store, await new_deployment(store, made))
    return made


async def fail(store: Store, deployment_id: str, run_id: str = "run-1") -> None:
    async with store.write() as tx:
        await lifecycle.failed(tx, deployment_id, Reason.UNHEALTHY, "no", run_id=run_id)


async def go_back(store: Store, deployment_id: str) -> str:
    async with store.write() as tx:
        row = await deployments.find_row(tx, deployment_id)
        application = await applications.find(tx, row.application_id, lock=True)
        order = Order(trigger=Trigger.ROLLBACK, actor="ci", retry_of=row.id)
        return (await admission.admit_again(tx, application, row, order)).id


@pytest.mark.parametrize("wanted", [{"domains": [SHOP]}, {"ports": [port(8080)]}])
async def test_what_is_live_is_held_until_something_else_is(
    store: Store, shop: str, wanted: dict[str, Any]
) -> None:
    await change(store, shop, domains=[NEW])
    with pytest.raises(Conflict, match=shop):
        await new_application(store, "blog", **wanted)

    made = await new_deployment(store, shop)
    await start(store, made)
    with pytest.raises(Conflict, match=shop):
        await new_application(store, "blog", **wanted)
    await succeed(store, made)

    assert await new_application(store, "blog", **wanted)


async def test_what_is_in_flight_is_held_until_it_ends(store: Store) -> None:
    shop = await new_application(store, domains=[SHOP])
    made = await new_deployment(store, shop)
    await start(store, made)
    await change(store, shop, domains=[NEW])
    with pytest.raises(Conflict, match=shop):
        await new_application(store, "blog", domains=[SHOP])

    await fail(store, made)

    assert await new_application(store, "blog", domains=[SHOP])
    with pytest.raises(Conflict, match=shop):
        await new_application(store, "third", domains=[NEW])


async def test_a_release_that_failed_leaves_what_is_live_its_routes(
    store: Store, shop: str
) -> None:
    await change(store, shop, domains=[NEW])

    await fail(store, await new_deployment(store, shop))

    with pytest.raises(Conflict, match=shop):
        await new_application(store, "blog", domains=[SHOP])


async def test_a_release_whose_domain_is_anothers_by_now_is_not_deployed_again(
    store: Store, shop: str
) -> None:
    async with store.read() as tx:
        first = (await applications.find(tx, shop)).row.live or ""
    await change(store, shop, domains=[NEW])
    await succeed(store, await new_deployment(store, shop))
    blog = await new_application(store, "blog", domains=[SHOP])

    with pytest.raises(Conflict, match=rf"shop.example.com/ is routed .*: blog \({blog}\)"):
        await go_back(store, first)

    await change(store, blog)
    assert await go_back(store, first)
    with pytest.raises(Conflict, match=shop):
        await change(store, blog, domains=[SHOP])


async def test_a_failed_one_is_not_opened_again_while_another_has_its_domain(store: Store) -> None:
    shop = await new_application(store, domains=[SHOP])
    made = await new_deployment(store, shop)
    await start(store, made)
    await fail(store, made)
    await change(store, shop, domains=[NEW])
    blog = await new_application(store, "blog", domains=[SHOP])

    assert not await start(store, made, "run-2")
    await fail(store, made, "run-2")
    async with store.write() as tx:
        report = StepReport(state=StepState.RUNNING, run_id="run-2", attempt=1)
        with pytest.raises(Conflict, match=blog):
            await steps.report(tx, made, "create", report)

    async with store.read() as tx:
        row = await deployments.find_row(tx, made)
    assert (row.state, row.run_id) == (DeploymentState.FAILED, "run-1")
    await change(store, blog)
    assert await start(store, made, "run-2")
    with pytest.raises(Conflict, match=shop):
        await change(store, blog, domains=[SHOP])


async def test_a_late_run_of_a_removed_application_claims_nothing(store: Store) -> None:
    shop = await new_application(store, domains=[SHOP])
    made = await new_deployment(store, shop)
    await start(store, made)
    await fail(store, made)
    await remove(store, shop)

    assert not await start(store, made, "run-2")

    assert await new_application(store, "blog", domains=[SHOP])


async def test_claims_of_a_release_older_than_their_column_are_kept(store: Store) -> None:
    shop = await new_application(store, domains=[SHOP])
    older = await new_deployment(store, shop)
    async with store.write() as tx:
        release = (await deployments.find_row(tx, older)).release_id
        (await tx.session.get_one(ReleaseRow, release)).claims = None

    await change(store, shop, domains=[NEW])

    async with store.read() as tx:
        hosts = list(await tx.session.scalars(select(DomainClaim.host).order_by("host")))
    assert hosts == ["new.example.com", "shop.example.com"]


async def test_the_end_of_a_deployment_frees_claims_although_its_settings_are_unreadable(
    store: Store,
) -> None:
    shop = await new_application(store, domains=[SHOP])
    made = await new_deployment(store, shop)
    await change(store, shop, domains=[NEW])
    async with store.write() as tx:
        row = await tx.session.get_one(ApplicationRow, shop)
        row.settings = "v1:00000000:lost"

    async with store.write() as tx:
        await lifecycle.failed(tx, made, Reason.CANCELLED, "")

    async with store.read() as tx:
        hosts = list(await tx.session.scalars(select(DomainClaim.host)))
    assert hosts == ["new.example.com"]
