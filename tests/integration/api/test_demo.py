"""The demo as a client of the API: it deploys an application of its own, and nobody else's."""

from typing import Any

from aweigh.core.settings import Settings
from aweigh.store import removals
from examples.demo.client import find_or_create
from examples.demo.swap import application_of
from tests.support.api_caller import Caller

OURS = "aweigh/demo/application"


async def found(caller: Caller) -> dict[str, Any]:
    caller.client.headers["Authorization"] = f"Bearer {caller.tokens['admin']}"
    return await find_or_create(caller.client, application_of(Settings(prefix="aweigh")), "local")


async def remove(caller: Caller, application: dict[str, Any]) -> None:
    async with caller.store.write() as tx:
        await removals.succeeded(tx, application["id"])


async def test_the_demo_finds_what_it_made(caller: Caller) -> None:
    first = await found(caller)

    again = await found(caller)

    assert (first["slug"], first["source"]["image"]) == ("demo", OURS)
    assert first["domains"][0]["host"] == "demo.localhost"
    assert again["id"] == first["id"]


async def test_an_application_of_that_name_which_is_not_the_demos_is_left_alone(
    caller: Caller,
) -> None:
    theirs = await caller.create("demo")

    ours = await found(caller)

    assert (ours["slug"], ours["domains"][0]["host"]) == ("demo-2", "demo-2.localhost")
    assert (await caller.get("/v1/applications/demo"))["updated_at"] == theirs["updated_at"]
    assert (await found(caller))["id"] == ours["id"]


async def test_the_demo_takes_another_name_once_it_was_removed(caller: Caller) -> None:
    await remove(caller, await found(caller))

    second = await found(caller)
    await caller.call("DELETE", f"/v1/applications/{second['id']}")

    assert (second["slug"], (await found(caller))["slug"]) == ("demo-2", "demo-3")


async def test_a_domain_of_somebody_elses_is_left_alone(caller: Caller) -> None:
    await caller.create("shop", domains=[{"host": "demo.localhost"}], port=8000)

    assert (await found(caller))["slug"] == "demo-2"
