"""Applications are created by the API, which names what is wrong with one."""

import json
import threading
from typing import Any

import pytest
from dirty_equals import IsDatetime, IsStr

from aweigh.secrets.vault import SealOwner, Vault
from tests.support.api_caller import Caller
from tests.support.installation import IMAGE

SECRETS: dict[str, Any] = {
    "env": {"TOKEN": "correct-horse"},
    "source": {"registry": {"username": "ci", "password": "battery-staple"}},
}
WORDS = ("correct-horse", "battery-staple")


async def refused(caller: Caller, **fields: Any) -> dict[str, str]:
    """What is wrong with a creation, by field."""
    body = {"name": "shop", "source": {"type": "image", "image": IMAGE}} | fields
    answer = await caller.call("POST", "/v1/applications", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:aweigh:problem:invalid", 422)
    return {error["field"]: error["message"] for error in problem["errors"]}


async def test_an_application_is_shown_with_its_defaults_and_its_doors(caller: Caller) -> None:
    made = await caller.create("My Shop", env={"TOKEN": "correct-horse"})

    assert made == {
        "id": IsStr(regex=r"app_[0-9a-v]{26}"), "slug": "my-shop", "name": "My Shop",
        "server": "local",
        "source": {"type": "image", "image": IMAGE, "tag": "v1", "pull": "if_missing",
                   "registry": None},
        "env": {"TOKEN": {"secret": True}}, "labels": {}, "networks": [], "domains": [],
        "port": None, "ports": [],
        "volumes": [], "health_check": None, "replicas": 1,
        "resources": {"cpus": None, "memory": None}, "command": None, "entrypoint": None,
        "capabilities": [],
        "release_command": None, "stop_grace": 10, "drain": 30, "restart": "unless-stopped",
        "strategy": "auto", "policy": "supersede",
        "keep_deployments": {"count": 200, "days": 365}, "notify": True, "live": None,
        "removing": False,
        "removal_message": None, "created_at": IsDatetime(iso_string=True),
        "updated_at": IsDatetime(iso_string=True),
        "deploy_hook": IsStr(regex=r"hook_[\w-]{43}"),
        "deploy_secret": IsStr(regex=r"awds_[\w-]{43}"),
        "webhook_secret": IsStr(regex=r"awws_[\w-]{43}"),
    }  # fmt: skip


async def test_its_doors_are_shown_once_more_only_in_settings(caller: Caller) -> None:
    made = await caller.create()
    doors = {key: made.pop(key) for key in ("deploy_hook", "deploy_secret", "webhook_secret")}

    assert await caller.get(f"/v1/applications/{made['id']}") == made
    assert await caller.get("/v1/applications/shop") == made
    assert await caller.get("/v1/applications/shop/settings") == doors


async def test_no_answer_holds_a_secret_that_was_not_asked_for_by_name(caller: Caller) -> None:
    made = await caller.create(**SECRETS)
    await caller.deploy(made)

    shown = [
        json.dumps(made),
        *[
            (await caller.call("GET", path)).text
            for path in (
                "/v1/applications", "/v1/applications/shop", "/v1/deployments",
                "/v1/applications/shop/volumes", "/openapi.json",
            )
        ],
        (await caller.call("PATCH", "/v1/applications/shop", json={"replicas": 2})).text,
        (await caller.call("PUT", "/v1/applications/shop/labels", json={"a": "b"})).text,
    ]  # fmt: skip

    assert [word for word in WORDS for text in shown if word in text] == []
    assert made["source"]["registry"] == {"username": "ci"}
    assert await caller.get("/v1/applications/shop/env") == {"TOKEN": "correct-horse"}


@pytest.mark.parametrize(
    "fields",
    [
        {"replicas": 0},
        {"env": {"TOKEN": "correct-horse", "bad=name": "correct-horse"}},
        {"env": {"TOKEN": ["correct-horse"]}},
        {"env": {"TOKEN": "correct-horse\0"}},
        {"env": "correct-horse"},
        {"source": {"image": "a", "registry": {"username": "ci", "password": ["battery-staple"]}}},
        {"source": {"image": "a", "registry": {"username": "", "password": "battery-staple"}}},
        {"source": {"image": "a", "registry": "battery-staple"}},
        {"unknown": "correct-horse"},
        {"name": 7},
    ],
    ids=range(10),
)
async def test_no_error_holds_a_secret(caller: Caller, fields: dict[str, Any]) -> None:
    source = {"image": IMAGE, "registry": {"username": "ci", "password": "battery-staple"}}
    body = {"name": "shop", "source": source, "env": {"A": "correct-horse"}} | fields

    for method, path in (("POST", "/v1/applications"), ("PUT", "/v1/applications/x/env")):
        answer = await caller.call(method, path, json=body)
        assert answer.status_code in (404, 422)
        assert [word for word in WORDS if word in answer.text] == []


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"name": ""}, {"name": IsStr}),
        ({"name": "x" * 65}, {"name": IsStr}),
        ({"env": {"PORT": "3000"}, "port": 8000},
         {"port": IsStr(regex="differs from the variable PORT.*")}),
        ({"name": "a\x1b[31m"}, {"name": "holds characters that cannot be printed"}),
        ({"name": "a\0"}, {"name": "holds characters that cannot be printed"}),
        ({"name": "a\nb"}, {"name": "holds characters that cannot be printed"}),
        ({"server": "moon"}, {"server": "there is no server 'moon'"}),
        ({"slug": "Shop"}, {"slug": IsStr(regex="is not a slug: .*")}),
        ({"slug": "shop-"}, {"slug": IsStr(regex="is not a slug: .*")}),
        ({"slug": "-"}, {"slug": IsStr(regex="is not a slug: .*")}),
        ({"source": {"type": "image"}}, {"source.image": "Field required"}),
        ({"domains": [{"host": "a.b"}, {"host": "a_b"}]}, {"domains.1.host": IsStr}),
        ({"domains": [{"host": "a.b", "path": "/`"}]}, {"domains.0.path": IsStr}),
        ({"domains": [{"host": "a.b"}, {"host": "a.b"}]},
         {"domains": "the same entry is given twice (0 and 1)"}),
        ({"labels": {"traefik.enable": "true"}}, {"labels": IsStr}),
        ({"env": {"body": 3}}, {"env.body": IsStr(regex="is neither a string nor an object .*")}),
        ({"replicas": 3, "ports": [{"host": 80, "container": 80}]}, {"replicas": IsStr}),
        ({"replicas": 0, "drain": -1}, {"replicas": IsStr, "drain": IsStr}),
        ({"resources": {"memory": "5m"}}, {"resources.memory": IsStr}),
    ],
    ids=range(19),
)  # fmt: skip
async def test_a_wrong_field_is_named(
    caller: Caller, fields: dict[str, Any], errors: dict[str, Any]
) -> None:
    assert await refused(caller, **fields) == errors


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"name": "\xff"}', b"[" * 100_000, b'{"replicas": ' + b"9" * 5000 + b"}", b"nonsense"],
    ids=range(5),
)
async def test_a_body_that_cannot_be_read_is_named(caller: Caller, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    for method, path in (("POST", "/v1/applications"), ("PATCH", "/v1/applications/shop")):
        answer = await caller.call(method, path, content=content, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"field": "body", "message": "is not JSON"}]


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "1"])
async def test_a_body_that_is_no_object_is_named(caller: Caller, body: str) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await caller.call("POST", "/v1/applications", content=body, headers=headers)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body"]


@pytest.mark.parametrize(
    ("first", "second", "detail"),
    [
        ({}, {"name": "Shop!"}, "the slug 'shop' is or was used by another application"),
        ({"domains": [{"host": "a.b"}]}, {"name": "blog", "domains": [{"host": "a.b"}]},
         "domains[0]: a.b/ is routed to another application on server local"),
        ({"ports": [{"host": 80, "container": 1}]},
         {"name": "blog", "ports": [{"host": 80, "container": 2}]},
         "ports[0]: host port 80/tcp of server local is held by another application"),
    ],
    ids=range(3),
)  # fmt: skip
async def test_what_is_taken_is_a_conflict(
    caller: Caller, first: dict[str, Any], second: dict[str, Any], detail: str
) -> None:
    await caller.create(**first)
    body = {"source": {"image": IMAGE}} | second

    answer = await caller.call("POST", "/v1/applications", json=body)

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:aweigh:problem:conflict"
    assert answer.json()["detail"].startswith(detail)


async def test_the_settings_of_a_list_are_opened_beside_the_event_loop(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await caller.create(f"app{number}", env={"NAME": "value"})
    opening: list[threading.Thread] = []
    opened = Vault.open

    def noted(vault: Vault, owner: SealOwner, sealed: str) -> str:
        opening.append(threading.current_thread())
        return opened(vault, owner, sealed)

    monkeypatch.setattr(Vault, "open", noted)
    listed = await caller.get("/v1/applications")

    assert [one["slug"] for one in listed["items"]] == ["app0", "app1", "app2"]
    assert threading.current_thread() not in opening
    assert len(set(opening)) == 1


async def test_a_list_is_told_in_pages(caller: Caller) -> None:
    made = [(await caller.create(f"shop-{number}"))["id"] for number in range(5)]

    first = await caller.get("/v1/applications", params={"limit": 3})
    second = await caller.get("/v1/applications", params={"limit": 3, "after": first["next"]})

    assert [one["id"] for one in first["items"] + second["items"]] == made
    assert second["next"] is None


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"after": "x"}, {"after": "\0"}])
async def test_a_wrong_page_is_refused(caller: Caller, params: dict[str, Any]) -> None:
    answer = await caller.call("GET", "/v1/applications", params=params)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"query.{next(iter(params))}"


@pytest.mark.parametrize(
    ("fields", "slug"),
    [
        ({"name": "123shop"}, "app-123shop"),
        ({"name": "日本語"}, "app-77710aed"),
        ({"name": "Mein Café"}, "mein-cafe"),
        ({"name": "日本語", "slug": "nihongo"}, "nihongo"),
    ],
)
async def test_a_slug_is_given_or_derived(
    caller: Caller, fields: dict[str, str], slug: str
) -> None:
    made = await caller.create(**fields)

    assert (made["name"], made["slug"]) == (fields["name"], slug)
    assert (await caller.get(f"/v1/applications/{slug}"))["id"] == made["id"]


async def test_a_slug_that_is_taken_is_named(caller: Caller) -> None:
    await caller.create("shop")
    source = {"type": "image", "image": IMAGE}

    answer = await caller.call(
        "POST", "/v1/applications", json={"name": "x", "slug": "shop", "source": source}
    )

    assert answer.status_code == 409
    assert "give a `slug`" in answer.json()["detail"]
