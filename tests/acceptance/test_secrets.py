"""Secrets stay secret: known values are looked for wherever something is kept or shown."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from examples.demo.image import PYTHON, make_image
from tests.support.channel_kinds import channels_of_all_kinds
from tests.support.outside import change, containers, swept
from tests.support.process_arguments import watched_arguments
from tests.support.programs import begins_with, releases_with, runs
from tests.support.registry import PASSWORD, USER
from tests.support.stack import Stack
from tests.support.world import World

pytestmark = pytest.mark.docker

TOKEN = secrets.token_hex(8)
ENV = {
    "API_KEY": f"key-{TOKEN}",
    "SPACED": f"two  spaces {TOKEN}",
    "PEM": f"-----BEGIN {TOKEN}-----\nMIIE{TOKEN}\n-----END {TOKEN}-----",
    "LONG": "".join(f"{number}-{TOKEN}-" for number in range(200)),
}
WRONG = f"wrong-{TOKEN}"
SPILL = (
    "import os\nfor name in ('API_KEY', 'SPACED', 'PEM', 'LONG'): print(name, os.environ[name])\n"
)


@dataclass
class Spilled:
    """What happened, and every place in which a secret could have been left."""

    world: World
    application: Mapping[str, Any]
    deployments: list[dict[str, Any]]
    secrets: set[str]
    channels: Sequence[str]
    arguments: set[str] = field(default_factory=set)

    def assert_clean(self, where: str, found: str | bytes) -> None:
        text = found.decode(errors="replace") if isinstance(found, bytes) else found
        assert [value for value in self.secrets if value in text] == [], where


def parts_of(values: Mapping[str, str]) -> set[str]:
    """Every line of every value, as it is and with its white space run together."""
    lines = {line for value in values.values() for line in value.splitlines()}
    return lines | {" ".join(line.split()) for line in lines}


@pytest.fixture(scope="module")
async def spilled(world: World) -> AsyncIterator[Spilled]:
    """An application full of secrets, deployed well and badly, that prints all it knows."""
    stack, repository = world.stack, f"{world.locked.host}/spilled"
    world.push("spilled", "v1")
    check = json.dumps([PYTHON, "-I", "-S", "-c", SPILL + "raise SystemExit(1)"])
    make_image(
        world.engine, repository=repository, tag="ill", environment={"UNIQUE": TOKEN[:4]},
        instructions=(f"HEALTHCHECK --interval=200ms --retries=1 CMD {check}",),
    )  # fmt: skip
    registry = {"username": USER, "password": PASSWORD}
    source = {"type": "image", "image": repository, "tag": "v1", "registry": registry}
    with watched_arguments() as arguments:
        app = await stack.create(
            "spilled", source, env=ENV, domains=[{"host": "spilled.localhost", "tls": False}],
            **begins_with(SPILL),
        )  # fmt: skip
        channels = [await told(stack, one) for one in channels_of_all_kinds(TOKEN)]
        deployed = [(await stack.deploy(app)).json()]
        for tag, settings in (
            (None, releases_with(SPILL)),
            (None, releases_with(SPILL + "raise SystemExit(1)")),
            (None, runs(SPILL + "raise SystemExit(1)") | {"release_command": None}),
            ("ill", dict.fromkeys(runs("")) | {"health_check": {"type": "image", "deadline": 1}}),
            ("v2", {"source": source | {"registry": {"username": USER, "password": WRONG}}}),
        ):
            await change(stack, app, **settings)
            answer = (await stack.deploy(app, tag)).json()
            deployed.append(answer.get("deployment", answer))
        await swept(stack, deployed[1]["id"])
        await asyncio.gather(*(attempted(stack, one) for one in channels))
    tokens = {(stack.data / "tokens" / name).read_text() for name in ("admin", "server-local")}
    known = parts_of(ENV) | tokens | {TOKEN, PASSWORD, WRONG, app["deploy_secret"]}
    yield Spilled(world, app, deployed, known, channels, set(arguments))
    for one in channels:
        await stack.call("DELETE", f"/v1/channels/{one}")
    world.engine.images.remove(f"{repository}:ill", force=True)


async def told(stack: Stack, settings: Mapping[str, Any]) -> str:
    """The id of a channel that is told of the application."""
    body = {**settings, "applications": ["spilled"]}
    answer = await stack.call("POST", "/v1/channels", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def attempted(stack: Stack, channel: str) -> None:
    """Wait until something was sent to a channel, in vain: nothing resolves these hosts."""
    answer = await stack.call("POST", f"/v1/channels/{channel}/test")
    assert answer.json()["state"] == "failed", answer.text


async def test_the_deployments_went_as_they_were_meant_to(spilled: Spilled) -> None:
    assert [one["reason"] for one in spilled.deployments] == [
        None, None, "release_command_failed", "start_failed", "unhealthy", "registry_auth",
    ]  # fmt: skip


async def test_what_was_printed_is_masked_in_log_and_steps(spilled: Spilled) -> None:
    for one in spilled.deployments[1:4]:
        log = await spilled.world.stack.log(one["id"])
        for name in ENV:
            assert f"{name} **********" in log or f"{name} -----" not in log
        assert "API_KEY **********" in log
    health = [one for one in spilled.deployments[3]["steps"] if one["name"] == "health"]
    assert "API_KEY **********" in health[0]["detail"]
    assert "HEALTHCHECK is unhealthy API_KEY **********" in spilled.deployments[4]["message"]


@pytest.mark.parametrize("pattern", ["temporal.db*", "aweigh.db*", "logs/*.log", "*.log"])
async def test_files_of_the_stack_hold_no_secret(spilled: Spilled, pattern: str) -> None:
    files = sorted(spilled.world.stack.data.glob(pattern))

    for path in files:
        spilled.assert_clean(str(path), path.read_bytes())
    assert files
    if "db" in pattern:  # what is looked through is what was written
        everything = b"".join(path.read_bytes() for path in files)
        assert spilled.deployments[-1]["id"].encode() in everything


async def test_files_of_the_server_worker_hold_no_secret_but_its_own(spilled: Spilled) -> None:
    files = [path for path in (spilled.world.stack.data / "server").rglob("*") if path.is_file()]

    for path in files:
        spilled.assert_clean(str(path), path.read_bytes())
    assert {"log", "spilled.yml"} <= {path.name for path in files}


async def test_no_process_was_given_a_secret_as_an_argument(spilled: Spilled) -> None:
    assert any("start-dev" in one for one in spilled.arguments)
    assert any("application.py" in one for one in spilled.arguments)
    spilled.assert_clean("arguments", "\n".join(spilled.arguments))


async def test_the_engine_is_told_no_secret_but_the_environment(spilled: Spilled) -> None:
    engine, prefix = spilled.world.engine, spilled.world.stack.prefix
    [container] = containers(engine, prefix, "spilled")
    shown = dict(container.attrs)
    shown["Config"] = {**shown["Config"], "Env": []}
    images = [one.attrs for one in engine.images.list(name=f"{prefix}/spilled")]

    spilled.assert_clean("container", json.dumps(shown))
    spilled.assert_clean("images", json.dumps(images))
    assert images


async def test_no_answer_shows_a_secret_that_was_not_asked_for(spilled: Spilled) -> None:
    stack, app = spilled.world.stack, spilled.application["id"]
    paths = ["/v1/applications", f"/v1/applications/{app}", "/v1/deployments", "/openapi.json",
             "/v1/tokens", "/healthz", "/readyz", "/v1/channels", "/v1/events"]  # fmt: skip
    for channel in spilled.channels:
        paths += [f"/v1/channels/{channel}{part}" for part in ("", "/deliveries")]
    paths += [f"/v1/applications/{app}/{part}" for part in ("labels", "volumes", "domains")]
    for one in spilled.deployments:
        paths += [f"/v1/deployments/{one['id']}{part}" for part in ("", "/steps", "/log")]

    answers = await asyncio.gather(*(stack.call("GET", path) for path in paths))

    for answer in answers:
        spilled.assert_clean(str(answer.url), answer.text)
    assert sum(answer.is_success for answer in answers) > 40
    shown = (await stack.call("GET", f"/v1/applications/{app}")).json()
    assert shown["env"] == {name: {"secret": True} for name in ENV}
    assert (await stack.call("GET", f"/v1/applications/{app}/env")).json() == ENV


async def test_errors_about_a_secret_do_not_repeat_it(spilled: Spilled) -> None:
    stack, app = spilled.world.stack, spilled.application
    bad = {"env": {"API_KEY": [ENV["API_KEY"]]}, "source": {"registry": {"password": [WRONG]}}}

    answers = [
        await stack.call("PATCH", f"/v1/applications/{app['id']}", json=bad),
        await stack.call("PUT", f"/v1/applications/{app['id']}/env", json={"A=B": WRONG}),
        await stack.client.post(
            f"/v1/events/{app['deploy_hook']}x", headers={"X-Deploy-Secret": app["deploy_secret"]}
        ),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 404]
    for answer in answers:
        spilled.assert_clean(str(answer.url), answer.text)


async def test_histories_hold_a_reason_and_a_sentence_and_no_trace(spilled: Spilled) -> None:
    client = await spilled.world.stack.temporal()
    histories = {
        one["id"]: await client.get_workflow_handle(one["workflow"]["id"]).fetch_history()
        for one in spilled.deployments
    }

    for one in spilled.deployments:
        text = histories[one["id"]].to_json()
        spilled.assert_clean(one["id"], text)
        assert "stackTrace" not in text
        assert ".py" not in text
        if one["reason"]:
            ends = histories[one["id"]].events[-1].workflow_execution_failed_event_attributes
            assert ends.failure.application_failure_info.type == one["reason"]
            assert not ends.failure.HasField("cause")


async def test_histories_of_notifications_hold_no_secret(spilled: Spilled) -> None:
    client = await spilled.world.stack.temporal()
    found = [one async for one in client.list_workflows('WorkflowType = "NotificationWorkflow"')]

    for one in found:
        handle = client.get_workflow_handle(one.id, run_id=one.run_id)
        spilled.assert_clean(one.id, (await handle.fetch_history()).to_json())
    assert len(found) >= len(spilled.channels)


async def test_the_proxy_knows_no_secret(spilled: Spilled) -> None:
    port = spilled.world.stack.environment["AWEIGH_PROXY_API_PORT"]
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/api/rawdata")

    assert "spilled" in answer.text
    spilled.assert_clean("proxy", answer.text)
