"""(Server, host, path) and (server, host port) belong to one application."""

import asyncio
from typing import Any

import pytest

from aweigh.core.errors import Conflict
from aweigh.store import applications, removals
from aweigh.store.database import Store
from tests.support.claims import NEW, SHOP, change, port, remove
from tests.support.installation import (
    create_application,
    new_application,
)


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
