"""Plain variables: shown in answers, kept in releases with their marks; secret ones are not."""

from typing import Any

import pytest

from aweigh.store import deployments
from tests.support.api_caller import Caller
from tests.support.installation import start, succeed

SHOP = "/v1/applications/shop"
LISTEN = {"value": "127.0.0.1:8000", "secret": False}
TOKEN = "correct-horse"


async def patched(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = await caller.call("PATCH", SHOP, json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(caller: Caller, method: str, path: str, body: Any) -> dict[str, str]:
    answer = await caller.call(method, path, json=body)
    assert answer.status_code == 422, answer.text
    assert TOKEN not in answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def test_a_plain_variable_is_shown_and_a_secret_one_by_its_name(caller: Caller) -> None:
    made = await caller.create(
        env={"LISTEN": LISTEN, "TOKEN": TOKEN, "KEY": {"value": "battery-staple"}}
    )

    shown = {"LISTEN": LISTEN, "TOKEN": {"secret": True}, "KEY": {"secret": True}}
    assert made["env"] == shown
    assert (await caller.get(SHOP, scope="read"))["env"] == shown
    [listed] = (await caller.get("/v1/applications", scope="read"))["items"]
    assert listed["env"] == shown
    assert await caller.get(f"{SHOP}/env") == {
        "LISTEN": LISTEN, "TOKEN": TOKEN, "KEY": "battery-staple",
    }  # fmt: skip


async def test_variables_and_arguments_of_builds_are_shown_likewise(caller: Caller) -> None:
    source = {"type": "git", "repository": "https://example.com/acme/shop"}
    for method, part in (("buildpacks", "env"), ("dockerfile", "args")):
        build = {"method": method, part: {"MODE": LISTEN, "TOKEN": TOKEN}}
        given = {"name": method, "source": source | {"build": build}}
        answer = await caller.call("POST", "/v1/applications", json=given)

        shown = answer.json()["source"]["build"]
        assert shown[part] == {"MODE": LISTEN, "TOKEN": {"secret": True}}
        assert TOKEN not in answer.text


async def test_what_an_answer_shows_can_be_sent_back(caller: Caller) -> None:
    made = await caller.create(env={"LISTEN": LISTEN, "TOKEN": TOKEN})
    known = await caller.get(f"{SHOP}/env")

    changed = await patched(caller, env=made["env"])
    replaced = await caller.call("PUT", f"{SHOP}/env", json=known)

    assert changed["env"] == replaced.json()["env"] == made["env"]
    assert await caller.get(f"{SHOP}/env") == known


async def test_a_variable_changes_from_plain_to_secret_and_back(caller: Caller) -> None:
    await caller.create(env={"A": LISTEN, "B": LISTEN, "C": LISTEN, "D": LISTEN})

    changed = await patched(
        caller, env={"A": "127.0.0.1:8000", "B": {"secret": True}, "C": None, "D": {"value": "x"}}
    )

    assert changed["env"] == {name: {"secret": True} for name in "ABD"}
    assert await caller.get(f"{SHOP}/env") == {
        "A": "127.0.0.1:8000", "B": "127.0.0.1:8000", "D": "x",
    }  # fmt: skip
    assert (await patched(caller, env={"A": LISTEN}))["env"]["A"] == LISTEN


@pytest.mark.parametrize("mark", [False, 0, "false", None])
async def test_a_stored_secret_is_not_made_plain_without_its_value(
    caller: Caller, mark: Any
) -> None:
    await caller.create(env={"TOKEN": TOKEN})
    change = {"env": {"TOKEN": {"value": None, "secret": mark}}}

    if mark is False:
        said = await refused(caller, "PATCH", SHOP, {"env": {"TOKEN": {"secret": mark}}})
        assert "only if its value is given anew" in said["env.TOKEN"]
    await refused(caller, "PATCH", SHOP, change)

    assert (await caller.get(SHOP))["env"] == {"TOKEN": {"secret": True}}


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        (8000, "env.A"),
        ([TOKEN], "env.A"),
        ({"secret": True}, "env.A"),
        ({"secret": False}, "env.A"),
        ({}, "env.A"),
        ({"value": 8000, "secret": False}, "env.A.value"),
        ({"value": {"value": TOKEN}}, "env.A.value"),
        ({"value": TOKEN, "secret": "false"}, "env.A.secret"),
        ({"value": TOKEN, "secret": 0}, "env.A.secret"),
        ({"value": TOKEN, "plain": True}, "env.A.plain"),
    ],
)
async def test_a_wrong_variable_names_its_field(caller: Caller, variable: Any, field: str) -> None:
    await caller.create()
    new = {"name": "blog", "source": {"image": "a/b"}, "env": {"A": variable}}

    for method, path, body in (
        ("POST", "/v1/applications", new),
        ("PATCH", SHOP, {"env": {"A": variable}}),
        ("PUT", f"{SHOP}/env", {"A": variable}),
    ):
        assert list(await refused(caller, method, path, body)) == [field]


async def test_a_wrong_argument_of_a_build_names_its_field(caller: Caller) -> None:
    build = {"method": "dockerfile", "args": {"A": {"value": TOKEN, "secret": 1}}}
    source = {"type": "git", "repository": "https://example.com/acme/shop", "build": build}

    said = await refused(caller, "POST", "/v1/applications", {"name": "shop", "source": source})

    assert list(said) == ["source.build.args.A.secret"]


async def marks_of(caller: Caller, deployment_id: str) -> Any:
    async with caller.store.read() as tx:
        row = await deployments.find_row(tx, deployment_id)
        release = await deployments.release_of(tx, row)
    return {name: one.secret for name, one in release.settings.env.items()}


async def test_a_release_keeps_its_marks(caller: Caller) -> None:
    made = await caller.create(env={"A": LISTEN, "B": TOKEN})
    first = await caller.deploy(made)
    await start(caller.store, first)
    await succeed(caller.store, first)
    await patched(caller, env={"A": {"secret": True}})
    second = await caller.deploy(made)
    await start(caller.store, second)
    await succeed(caller.store, second)

    back = await caller.call("POST", f"/v1/deployments/{first}/rollback")

    assert await marks_of(caller, first) == {"A": False, "B": True}
    assert await marks_of(caller, second) == {"A": True, "B": True}
    assert await marks_of(caller, back.json()["id"]) == {"A": False, "B": True}


async def test_the_document_knows_both_forms(caller: Caller) -> None:
    schemas = (await caller.client.get("/openapi.json")).json()["components"]["schemas"]

    text, marked = schemas["NewApplication"]["properties"]["env"]["additionalProperties"]["anyOf"]
    assert text["type"] == "string"
    assert marked == {"$ref": "#/components/schemas/Variable"}
    assert schemas["Variable"]["properties"]["secret"]["type"] == "boolean"
    assert schemas["Variable"]["properties"]["secret"]["default"] is True
    assert schemas["Variable"]["required"] == ["value"]
