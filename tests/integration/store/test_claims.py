"""(Server, host, path) and (server, host port) belong to one application."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import DeploymentState, Reason, StepState, Trigger
from aweigh.store import admission, applications, deployments, lifecycle, removals, steps
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.tables import ApplicationRow, DomainClaim, ReleaseRow
from tests.support.installation import (
    create_application,
    new_application,
    new_deployment,
    settings_of,
    start,
    succeed,
)

SHOP = {"host": "shop.example.com"}
NEW = {"host": "new.example.com"}


def port(host: int, protocol: str = "tcp") -> dict[str, Any]:
    return {"host": host, "container": 80, "protocol": protocol}


async def change(store: Store, application_id: str, **fields: Any) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application_id, lock=True)
        await applications.change(tx, found, settings_of(**fields))


async def remove(store: Store, application_id: str) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application_id, lock=True)
        await removals.request(tx, found.row, volumes=False)
    async with store.write() as tx:
        await removals.succeeded(tx, application_id)


async def test_a_domain_that_is_taken_is_named_with_its_holder(store: Store) -> None:
    holder = await new_application(store, domains=[SHOP])

    async with store.write() as tx:
        with pytest.raises(Conflict) as caught:
            await create_application(tx, "blog", domains=[{"host": "blog.example.com"}, SHOP])

    assert str(caught.value) == (
        "domains[1]: shop.example.com/ is routed to another application on server local: "
        f"shop ({holder})"
    )


@pytest.mark.parametrize(
    "again",
    [{"host": "shop.example.com", "path": "/api/"}, {"host": "SHOP.example.com.", "path": "/api"}],
)
async def test_two_spellings_of_a_domain_are_one(store: Store, again: dict[str, str]) -> None:
    await new_application(store, domains=[SHOP | {"path": "/api"}])

    async with store.write() as tx:
        with pytest.raises(Conflict, match=r"shop\.example\.com/api is routed to another"):
            await create_application(tx, "blog", domains=[again])


async def test_a_port_that_is_taken_is_named_with_its_holder(store: Store) -> None:
    holder = await new_application(store, ports=[port(8080)])

    async with store.write() as tx:
        with pytest.raises(Conflict) as caught:
            await create_application(tx, "blog", ports=[port(8080)])

    assert str(caught.value) == (
        "ports[0]: host port 8080/tcp of server local is held by another application: "
        f"shop ({holder})"
    )


async def test_a_refused_application_leaves_nothing(store: Store) -> None:
    await new_application(store, domains=[SHOP])
    with pytest.raises(Conflict):
        await new_application(store, "blog", domains=[{"host": "blog.example.com"}, SHOP])

    assert await new_application(store, "blog", domains=[{"host": "blog.example.com"}])


async def test_another_path_or_protocol_is_free(store: Store) -> None:
    await new_application(store, domains=[SHOP], ports=[port(53)])

    assert await new_application(
        store, "blog", domains=[SHOP | {"path": "/blog"}], ports=[port(53, "udp")]
    )


async def test_what_an_application_gives_up_before_it_was_deployed_is_free(store: Store) -> None:
    made = await new_application(store, domains=[SHOP], ports=[port(8080)])
    await change(store, made, domains=[NEW])

    assert await new_application(store, "blog", domains=[SHOP], ports=[port(8080)])


async def test_an_application_keeps_what_it_has_over_a_change(store: Store) -> None:
    made = await new_application(store, domains=[SHOP], ports=[port(8080)])

    await change(store, made, domains=[SHOP], ports=[port(8080)])

    with pytest.raises(Conflict):
        await new_application(store, "blog", domains=[SHOP])


async def test_a_refused_change_leaves_settings_and_claims(store: Store) -> None:
    await new_application(store, domains=[SHOP])
    blog = await new_application(store, "blog", domains=[{"host": "blog.example.com"}])

    with pytest.raises(Conflict, match=r"domains\[0\]"):
        await change(store, blog, domains=[SHOP])

    async with store.read() as tx:
        hosts = [one.host for one in (await applications.find(tx, blog)).settings.domains]
    assert hosts == ["blog.example.com"]
    with pytest.raises(Conflict):
        await new_application(store, "third", domains=[{"host": "blog.example.com"}])


async def test_claims_are_held_until_the_removal_is_done(store: Store) -> None:
    made = await new_application(store, domains=[SHOP], ports=[port(8080)])
    async with store.write() as tx:
        found = await applications.find(tx, made, lock=True)
        await removals.request(tx, found.row, volumes=False)

    with pytest.raises(Conflict):
        await new_application(store, "blog", domains=[SHOP])
    async with store.write() as tx:
        await removals.succeeded(tx, made)

    assert await new_application(store, "blog", domains=[SHOP], ports=[port(8080)])


@pytest.mark.parametrize(
    "wanted",
    [
        {"domains": [SHOP]},
        {"domains": [SHOP, {"host": "b.example.com"}, {"host": "c.example.com"}]},
        {"ports": [port(8080), port(8081)]},
    ],
)
async def test_of_many_who_want_the_same_at_once_one_gets_it(
    store: Store, wanted: dict[str, list[Any]]
) -> None:
    backwards = {field: entries[::-1] for field, entries in wanted.items()}
    attempts = [
        new_application(store, f"shop-{number}", **(backwards if number % 2 else wanted))
        for number in range(6)
    ]

    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sorted(type(one).__name__ for one in results) == ["Conflict"] * 5 + ["str"]


async def test_of_many_who_want_the_same_name_at_once_one_gets_it(store: Store) -> None:
    attempts = [new_application(store) for _ in range(6)]

    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sorted(type(one).__name__ for one in results) == ["Conflict"] * 5 + ["str"]


async def test_a_removed_application_gives_its_claims_back_once(store: Store) -> None:
    made = await new_application(store, domains=[SHOP])
    await remove(store, made)
    blog = await new_application(store, "blog", domains=[SHOP])

    async with store.write() as tx:
        await removals.succeeded(tx, made)

    with pytest.raises(Conflict, match=blog):
        await new_application(store, "third", domains=[SHOP])


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
