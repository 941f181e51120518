"""The demo as a client of the API: it deploys an application of its own, and nobody else's."""

from typing import Any

from aweigh.core.settings import Settings
from aweigh.store import removals
from examples.demo.client import find_or_create
from examples.demo.swap import application_of
from tests.support.api_door import Door

OURS = "aweigh/demo/application"


async def found(door: Door) -> dict[str, Any]:
    door.client.headers["Authorization"] = f"Bearer {door.tokens['admin']}"
    return await find_or_create(door.client, application_of(Settings(prefix="aweigh")), "local")


async def remove(door: Door, application: dict[str, Any]) -> None:
    async with door.store.write() as tx:
        await removals.succeeded(tx, application["id"])


async def test_the_demo_finds_what_it_made(door: Door) -> None:
    first = await found(door)

    again = await found(door)

    assert (first["slug"], first["source"]["image"]) == ("demo", OURS)
    assert first["domains"][0]["host"] == "demo.localhost"
    assert again["id"] == first["id"]


async def test_an_application_of_that_name_which_is_not_the_demos_is_left_alone(
    door: Door,
) -> None:
    theirs = await door.create("demo")

    ours = await found(door)

    assert (ours["slug"], ours["domains"][0]["host"]) == ("demo-2", "demo-2.localhost")
    assert (await door.get("/v1/applications/demo"))["updated_at"] == theirs["updated_at"]
    assert (await found(door))["id"] == ours["id"]


async def test_the_demo_takes_another_name_once_it_was_removed(door: Door) -> None:
    await remove(door, await found(door))

    second = await found(door)
    await door.call("DELETE", f"/v1/applications/{second['id']}")

    assert (second["slug"], (await found(door))["slug"]) == ("demo-2", "demo-3")


async def test_a_domain_of_somebody_elses_is_left_alone(door: Door) -> None:
    await door.create("shop", domains=[{"host": "demo.localhost"}], port=8000)

    assert (await found(door))["slug"] == "demo-2"
