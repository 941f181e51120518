"""Settings of an application, changed by the API."""

from typing import Any

import pytest
from dirty_equals import IsStr

from aweigh.store import applications
from tests.support.api_caller import Caller
from tests.support.installation import settings_of
from tests.support.keys import deploy_key

SHOP = "/v1/applications/shop"
SITE = "https://git.example/acme/site"
KEY = deploy_key()


async def change(caller: Caller, **fields: Any) -> dict[str, Any]:
    answer = await caller.call("PATCH", SHOP, json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def open_site(caller: Caller, repository: str) -> None:
    """An application that is built from a repository which a token opens."""
    token = {"type": "token", "token": "correct-horse"}
    source = {"type": "git", "repository": repository, "credentials": token}
    answer = await caller.call("POST", "/v1/applications", json={"name": "shop", "source": source})
    assert answer.status_code == 201, answer.text


async def test_a_change_is_a_merge_patch(caller: Caller) -> None:
    made = await caller.create(
        env={"A": "1", "B": "2"}, labels={"team": "a"}, replicas=2,
        resources={"cpus": 1, "memory": "512m"}, networks=["x"],
    )  # fmt: skip
    unchanged = {key: made[key] for key in ("source", "labels", "domains", "id", "created_at")}

    changed = await change(
        caller, env={"A": None, "C": "3"}, replicas=None, resources={"cpus": 2}, networks=["y", "z"]
    )

    assert {key: changed[key] for key in unchanged} == unchanged
    assert changed["env"] == {"B": {"secret": True}, "C": {"secret": True}}
    assert changed["replicas"] == 1
    assert changed["resources"] == {"cpus": 2.0, "memory": "512m"}
    assert changed["networks"] == ["y", "z"]
    assert changed["updated_at"] > made["updated_at"]
    assert "deploy_secret" not in changed
    assert await caller.get(f"{SHOP}/env") == {"B": "2", "C": "3"}


async def test_secrets_survive_a_change_of_something_else(caller: Caller) -> None:
    registry = {"username": "ci", "password": "battery-staple"}
    await caller.create(source={"registry": registry}, env={"A": "correct-horse"})

    await change(caller, replicas=2, source={"tag": "v2"})

    async with caller.store.read() as tx:
        settings = (await applications.find(tx, "shop")).settings
    assert settings == settings_of(
        source={"tag": "v2", "registry": registry}, env={"A": "correct-horse"}, replicas=2
    )


@pytest.mark.parametrize(
    ("image", "kept"), [("registry.a/shop", True), ("registry.a/blog", True), ("other/shop", False)]
)
async def test_credentials_go_to_no_other_registry(caller: Caller, image: str, kept: bool) -> None:
    registry = {"username": "ci", "password": "battery-staple"}
    await caller.create(source={"image": "registry.a/shop", "registry": registry})

    changed = await change(caller, source={"image": image})

    assert changed["source"]["registry"] == ({"username": "ci"} if kept else None)


@pytest.mark.parametrize(
    ("image", "part", "missing"),
    [
        ("other.example/shop", {"username": "ci2"}, "password"),
        ("registry.a:444/shop", {"username": "ci2"}, "password"),
        ("other.example/shop", {"password": "correct-horse"}, "username"),
    ],
)
async def test_credentials_for_another_registry_are_given_as_a_whole(
    caller: Caller, image: str, part: dict[str, str], missing: str
) -> None:
    registry = {"username": "ci", "password": "battery-staple"}
    await caller.create(source={"image": "registry.a/shop", "registry": registry})

    answer = await caller.call("PATCH", SHOP, json={"source": {"image": image, "registry": part}})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"source.registry.{missing}"]
    assert (await caller.get(SHOP))["source"]["image"] == "registry.a/shop"


@pytest.mark.parametrize(
    "repository",
    [
        "https://other.example/acme/site", "https://git.example:8443/acme/site",
        "https://git.example.evil.test/acme/site",
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", [{}, {"credentials": {"username": "other"}}])
async def test_a_token_goes_to_no_other_repository_server(
    caller: Caller, repository: str, part: dict[str, Any]
) -> None:
    await open_site(caller, SITE)

    answer = await caller.call("PATCH", SHOP, json={"source": {"repository": repository, **part}})

    shown = (await caller.get(SHOP))["source"]
    if part:
        assert (answer.status_code, shown["repository"]) == (422, SITE)
    else:
        assert (shown["repository"], shown["credentials"]) == (repository, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://127.0.0.1:8080/acme/site", "https://127.0.0.1:8080/acme/site"),
        ("http://127.0.0.1:8080/acme/site", "http://127.0.0.1:8081/acme/site"),
        ("http://127.0.0.1:8080/acme/site", "http://localhost:8080/acme/site"),
    ],
)
async def test_a_token_goes_over_no_other_scheme_and_port(
    caller: Caller, before: str, after: str
) -> None:
    await open_site(caller, before)

    changed = await change(caller, source={"repository": after})

    assert changed["source"]["credentials"] is None


async def test_credentials_of_another_type_replace_those_that_were_there(caller: Caller) -> None:
    await open_site(caller, SITE)
    key = {
        "type": "deploy_key", "known_hosts": "git.example ssh-ed25519 AAAA",
        "private_key": KEY,
    }  # fmt: skip

    changed = await change(
        caller, source={"repository": "ssh://git@git.example/acme/site", "credentials": key}
    )

    assert changed["source"]["credentials"]["type"] == "deploy_key"


async def test_credentials_may_be_given_with_another_registry(caller: Caller) -> None:
    registry = {"username": "ci", "password": "battery-staple"}
    await caller.create(source={"image": "registry.a/shop", "registry": registry})

    changed = await change(caller, source={"image": "other/shop", "registry": registry})

    assert changed["source"]["registry"] == {"username": "ci"}


async def test_a_part_can_be_taken_away(caller: Caller) -> None:
    await caller.create(
        source={"registry": {"username": "ci", "password": "x"}}, health_check={"type": "tcp"}
    )

    changed = await change(caller, source={"registry": None}, health_check=None)

    assert (changed["source"]["registry"], changed["health_check"]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "other"}, "name"),
        ({"server": "other"}, "server"),
        ({"slug": "other"}, "slug"),
        ({"id": "app_1"}, "id"),
        ({"source": None}, "source"),
        ({"source": {"image": None}}, "source.image"),
        ({"source": {"type": "svn"}}, "source"),
        ({"env": {"A": {"b": "correct-horse"}}}, "env.A"),
        ({"replicas": "many"}, "replicas"),
        ({"deploy": "yes"}, "deploy"),
        ({"deploy": 1}, "deploy"),
    ],
    ids=range(11),
)
async def test_a_wrong_change_names_its_field_and_changes_nothing(
    caller: Caller, fields: dict[str, Any], field: str
) -> None:
    await caller.create(env={"A": "1"})
    before = await caller.get(SHOP)

    answer = await caller.call("PATCH", SHOP, json={"labels": {"new": "x"}} | fields)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "correct-horse" not in answer.text
    assert await caller.get(SHOP) == before


async def test_a_change_never_deploys_by_itself(caller: Caller) -> None:
    await caller.create()

    await change(caller, replicas=2)
    await change(caller, replicas=3, deploy=False)

    assert (await caller.get("/v1/deployments"))["items"] == []


async def test_a_change_deploys_where_asked_to(caller: Caller) -> None:
    await caller.create()

    await change(caller, replicas=2, deploy=True)

    (made,) = (await caller.get("/v1/deployments"))["items"]
    assert (made["trigger"], made["actor"], made["state"]) == ("manual", "admin", "created")


async def test_a_change_that_conflicts_neither_changes_nor_deploys(caller: Caller) -> None:
    domains = [{"host": "a.b"}]
    await caller.create("blog", domains=domains)
    await caller.create()
    before = await caller.get(SHOP)

    answer = await caller.call("PATCH", SHOP, json={"domains": domains, "deploy": True})

    assert answer.status_code == 409
    assert await caller.get(SHOP) == before
    assert (await caller.get("/v1/deployments"))["items"] == []


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("labels", {"team": "b"}),
        ("volumes", [{"source": "data", "target": "/data", "read_only": True, "exclusive": False}]),
        ("ports", [{"host": 8080, "container": 80, "protocol": "tcp"}]),
        ("domains", [{"host": "a.b", "path": "/", "tls": False}]),
    ],
)
async def test_a_part_can_be_replaced_and_read_by_itself(
    caller: Caller, part: str, value: Any
) -> None:
    await caller.create(labels={"team": "a"})

    answer = await caller.call("PUT", f"{SHOP}/{part}", json=value)

    assert answer.status_code == 200
    assert answer.json()[part] == value
    assert await caller.get(f"{SHOP}/{part}", scope="read") == value


async def test_the_variables_can_be_replaced_and_only_an_admin_reads_them(caller: Caller) -> None:
    await caller.create(env={"A": "1"})

    answer = await caller.call("PUT", f"{SHOP}/env", json={"TOKEN": "correct-horse"})

    assert answer.json()["env"] == {"TOKEN": {"secret": True}}
    assert "correct-horse" not in answer.text
    assert await caller.get(f"{SHOP}/env") == {"TOKEN": "correct-horse"}
    assert (await caller.call("GET", f"{SHOP}/env", scope="deploy")).status_code == 403


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("part", ["source", "settings2", "model_config", "%00"])
async def test_a_part_that_is_none_is_not_found(caller: Caller, method: str, part: str) -> None:
    await caller.create()

    answer = await caller.call(method, f"{SHOP}/{part}", json={})

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:aweigh:problem:not_found"


async def test_a_wrong_part_names_its_field(caller: Caller) -> None:
    await caller.create()

    answer = await caller.call("PUT", f"{SHOP}/domains", json=[{"host": "a b"}])

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "domains.0.host", "message": IsStr}]


@pytest.mark.parametrize("name", ["nobody", "app_00000000000000000000000000", "%00", "%ff", "A"])
async def test_what_is_not_there_is_not_found(caller: Caller, name: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        answer = await caller.call(method, f"/v1/applications/{name}", json={})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
