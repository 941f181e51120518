"""Every wrong JSON type, anywhere in a body, is named in a 422."""

import contextlib
import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from aweigh.deployments.application import ApplicationSettings
from tests.support.api_caller import Caller

IMAGE = {
    "type": "image", "image": "registry.example.com/shop", "tag": "v1", "pull": "if_missing",
    "registry": {"username": "ci", "password": "battery-staple"},
}  # fmt: skip
BUILDPACKS = {
    "method": "buildpacks", "builder": "heroku/builder:24", "env": {"A": "b"}, "process": "web",
    "limits": {"cpus": 1, "memory": "1g", "pids": 100, "minutes": 10},
}  # fmt: skip
DOCKERFILE = {
    "method": "dockerfile", "dockerfile": "Dockerfile", "target": "run", "args": {"A": "b"},
    "secrets": {"a": "b"},
}  # fmt: skip
GIT = {
    "type": "git", "repository": "https://git.example.com/acme/shop.git", "branch": "main",
    "subdirectory": "web", "auto_deploy": True, "paths": ["web"], "tags": ["v*"],
    "submodules": False, "lfs": False, "credentials": {"type": "token", "token": "correct-horse"},
    "build": BUILDPACKS,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "source": IMAGE, "env": {"KEY": "value"}, "labels": {"team": "a"}, "networks": ["backend"],
    "domains": [{"host": "shop.example.com", "path": "/", "tls": True}], "port": 8000,
    "volumes": [{"source": "data", "target": "/data", "read_only": False, "exclusive": False}],
    "health_check": {"type": "http", "path": "/", "deadline": 60, "status": 200, "port": 80},
    "replicas": 1, "resources": {"cpus": 1.0, "memory": "512m"}, "command": ["a"],
    "entrypoint": ["b"], "release_command": ["c"], "stop_grace": 10, "drain": 30,
    "restart": "always", "strategy": "auto", "policy": "supersede",
    "keep_deployments": {"count": 200, "days": 365}, "notify": True,
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "image": {},
    "git": {"source": GIT},
    "dockerfile": {"source": GIT | {"build": DOCKERFILE}},
    "ports": {"ports": [{"host": 8080, "container": 80, "protocol": "tcp"}]},
}
CHANNELS: dict[str, dict[str, Any]] = {
    "webhook": {"url": "https://hooks.example.com/x", "secret": "c2VjcmV0" * 4},
    "email": {
        "host": "mail.example.com", "port": 587, "security": "starttls", "username": "a",
        "password": "b", "from": "a@example.com", "to": ["ops@example.com"],
    },
}  # fmt: skip
WRONG: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, "", "x", "a\0b", [], [[]], [None], {}, {"type": []},
    {"method": {}}, {"x": None},
)  # fmt: skip
FEW_WRONG: tuple[Any, ...] = (None, True, 10**30, "x", [], {})


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, and the document itself."""
    yield at
    pairs: Iterable[tuple[str | int, Any]] = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value) if isinstance(value, list) else pairs
    for key, inner in pairs:
        yield from places(inner, (*at, key))


def changed(value: Any, at: tuple[str | int, ...], wrong: Any) -> Any:
    """The document with another value in one place."""
    if not at:
        return wrong
    copied = copy.deepcopy(value)
    inner = copied
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = wrong
    return copied


async def called(caller: Caller, method: str, path: str, body: Any, good: tuple[int, ...]) -> None:
    answer = await caller.call(method, path, json=body)

    said = f"{method} {path} {json.dumps(body)[:500]}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code in (*good, 409, 422), said
    if answer.status_code not in good:
        assert answer.headers["content-type"] == "application/problem+json", said
    if answer.status_code == 422:
        assert answer.json()["errors"], said


@pytest.mark.parametrize("kind", ["image", "git", "dockerfile"])
async def test_settings_of_wrong_types_are_refused(caller: Caller, kind: str) -> None:
    good = {"name": "shop", "server": "local"} | SETTINGS | OTHERS[kind]
    made = await caller.call("POST", "/v1/applications", json=good)
    assert made.status_code == 201, made.text

    for at in [one for one in places(good) if one[:1] == ("source",) or len(one) < 2]:
        for wrong in FEW_WRONG:
            bad = changed(good, at, wrong)
            if at == ():
                await called(caller, "POST", "/v1/applications", bad, (201,))
            if at[:1] not in (("name",), ("server",)):
                patch = bad if at == () else {at[0]: bad[at[0]]}
                await called(caller, "PATCH", "/v1/applications/shop", patch, (200,))


@pytest.mark.parametrize("kind", OTHERS)
def test_settings_of_wrong_types_are_invalid_values(kind: str) -> None:
    good = SETTINGS | OTHERS[kind]

    for at in places(good):
        for wrong in WRONG:
            with contextlib.suppress(ValidationError):
                ApplicationSettings.model_validate(changed(good, at, wrong))


@pytest.mark.parametrize("field", ["name", "server", "source", "env", "domains"])
async def test_creations_of_wrong_types_are_refused(caller: Caller, field: str) -> None:
    good = {"name": "blog", "server": "local", "source": IMAGE, "env": {}, "domains": []}

    for wrong in WRONG:
        await called(caller, "POST", "/v1/applications", good | {field: wrong}, (201,))


@pytest.mark.parametrize("part", ["env", "labels", "volumes", "ports", "domains"])
async def test_parts_of_wrong_types_are_refused(caller: Caller, part: str) -> None:
    await caller.create()
    good = (SETTINGS | OTHERS["ports"])[part]

    for at in places(good):
        for wrong in WRONG:
            bad = changed(good, at, wrong)
            await called(caller, "PUT", f"/v1/applications/shop/{part}", bad, (200,))


async def test_orders_of_wrong_types_are_refused(caller: Caller) -> None:
    made = await caller.create()
    headers = {"X-Deploy-Secret": made["deploy_secret"]}
    good = {"tag": "v1", "commit": "a" * 40, "rebuild": True}

    for at in [*places(good), ("deploy",)]:
        for wrong in WRONG:
            bad = changed(good, at, wrong)
            await called(caller, "POST", "/v1/applications/shop/deployments", bad, (202,))
            await called(caller, "PATCH", "/v1/applications/shop", bad, (200,))
            path = f"/v1/events/{made['deploy_hook']}"
            answer = await caller.client.post(path, content=json.dumps(bad), headers=headers)
            assert answer.status_code in (202, 409, 422), answer.text


async def test_tokens_of_wrong_types_are_refused(caller: Caller) -> None:
    good = {"name": "ci-2", "scope": "deploy"}

    for at in places(good):
        for wrong in WRONG:
            await called(caller, "POST", "/v1/tokens", changed(good, at, wrong), (201,))


@pytest.mark.parametrize("kind", ["webhook", "email"])
async def test_channels_of_wrong_types_are_refused(caller: Caller, kind: str) -> None:
    good: dict[str, Any] = {
        "name": "ops", "kind": kind, "events": ["deployment.failed"], "applications": [],
        "labels": {"team": "a"}, "enabled": True,
    } | CHANNELS[kind]  # fmt: skip
    made = await caller.call("POST", "/v1/channels", json=good)
    assert made.status_code == 201, made.text
    path = f"/v1/channels/{made.json()['id']}"

    for at in places(good):
        for wrong in FEW_WRONG:
            bad = changed(good, at, wrong)
            await called(caller, "POST", "/v1/channels", bad, (201,))
            patch = bad if at == () else {at[0]: bad[at[0]]}
            await called(caller, "PATCH", path, patch, (200,))
