"""Repositories that become releases: a stack, a git server and a small real builder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from examples.demo.image import APPLICATION
from tests.support.builder import lifecycle_beside
from tests.support.git_server import GitServer
from tests.support.github import ZERO, delivery, push
from tests.support.outside import until
from tests.support.stack import Stack

PROCFILE = "web: /usr/local/bin/python -I -S -B application.py\n"
#: So long is the time before each line of a log.
STAMP = len("2026-11-23T07:11:08.123Z ")
#: A repository that any build makes a running application of.
FILES = {"Procfile": PROCFILE, "application.py": APPLICATION.read_text()}
#: A build that goes on until it is stopped.
SLEEPS = "import time\nprint('it waits', flush=True)\ntime.sleep(600)"


def building(builder: str) -> dict[str, str]:
    """Settings of a stack that builds from a git server on this machine."""
    return {
        "AWEIGH_PRIVATE_TARGETS": '["127.0.0.0/8"]',
        "AWEIGH_LIFECYCLE_IMAGE": lifecycle_beside(builder),
    }


@dataclass(frozen=True)
class Builds:
    """Where applications are built."""

    stack: Stack
    git: GitServer
    builder: str
    engine: docker.DockerClient

    def source(self, name: str, **build: Any) -> dict[str, Any]:
        build = {"builder": self.builder, **build}
        return {"type": "git", "repository": self.git.url(name), "build": build}

    async def follow(self, name: str, **settings: Any) -> dict[str, Any]:
        """A new application that follows the repository of its name."""
        given = self.source(name) | settings.pop("source", {})
        return await self.stack.create(
            name, given, env={"NAME": name},
            domains=[{"host": f"{name}.localhost", "tls": False}], **settings,
        )  # fmt: skip

    async def runs(self, name: str, script: str, **build: Any) -> dict[str, Any]:
        """A new application whose build runs this script."""
        self.git.push(name, FILES | {"build.py": script})
        return await self.follow(name, source=self.source(name, **build))

    async def failed(self, application: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Its next deployment, which must fail."""
        answer = await self.stack.deploy(application, **options)
        assert answer.status_code == 424, answer.text
        return dict(answer.json()["deployment"])

    async def ended(self, application: dict[str, Any]) -> dict[str, Any]:
        """Its next deployment, however it ends."""
        deployment = (await self.stack.deploy(application)).json()
        return dict(deployment.get("deployment", deployment))

    async def begun(self, application: dict[str, Any], words: str) -> dict[str, Any]:
        """Its next deployment, as soon as these words are in the log."""
        deployment = (await self.stack.deploy(application, wait=0)).json()

        async def said() -> bool:
            return words in await self.stack.log(deployment["id"])

        await until(said)
        return dict(deployment)

    async def pushed(
        self, application: Mapping[str, Any], after: str, before: str = ZERO, **more: Any
    ) -> dict[str, Any]:
        """Deliver a signed push to the repository of its name; the deployment it makes, ended."""
        payload = push(self.git.url(application["slug"]), before=before, after=after, **more)
        request = delivery(payload, application["webhook_secret"])
        answer = await self.stack.client.post("/v1/github/webhooks", **request)
        [made] = answer.json()["deployments"]
        return dict(await self.stack.deployment(made, wait=600))

    async def cancelled(self, deployment: Mapping[str, Any]) -> None:
        """Cancel it, and wait until it says that it is."""
        path = f"/v1/deployments/{deployment['id']}/cancel?wait=600"
        answer = await self.stack.call("POST", path)
        assert (answer.status_code, answer.json()["reason"]) == (200, "cancelled"), answer.text

    def phase(self, deployment: dict[str, Any], name: str) -> str:
        """The container of one phase of a deployment's build."""
        slug, sequence = deployment["application"]["name"], deployment["sequence"]
        return f"{self.stack.prefix}.build-{slug}-{sequence}-{name}"

    def place(self, deployment: Mapping[str, Any]) -> Path:
        """The directory of a deployment's clone, which can be watched before there is one."""
        place = self.stack.data / "server" / "builds" / str(deployment["id"])
        place.mkdir()
        (place / "watched").touch()  # an empty one would be removed
        return place

    def leavings(self) -> list[str]:
        return leavings(self.engine, self.stack)


def leavings(engine: docker.DockerClient, stack: Stack) -> list[str]:
    """What builds have left on the engine and on disk."""
    prefix = f"{stack.prefix}.build-"
    # By its own words: looking at each of them would ask for those that are gone meanwhile.
    found = engine.api.containers(all=True, filters={"name": f"^/{prefix}"})
    names = [str(one["Names"][0]) for one in found]
    volumes = engine.api.volumes(filters={"name": prefix})["Volumes"]
    names += [str(one["Name"]) for one in volumes or ()]
    builds = stack.data / "server" / "builds"
    return names + [one.name for one in builds.iterdir() if one.is_dir()]


async def printed(stack: Stack, deployment_id: str) -> list[str]:
    """The lines of a log without their times."""
    return [line[STAMP:] for line in (await stack.log(deployment_id)).splitlines()]


@contextmanager
def phases_run(engine: docker.DockerClient, name: str) -> Iterator[list[str]]:
    """The phases of a build that are started inside the block, none before the one before ended.

    One that is started while another runs stands in the list as `both`.
    """
    found: list[str] = []
    events = engine.events(decode=True, filters={"type": "container"})

    def watch() -> None:
        running: set[str] = set()
        for event in events:
            container = str(event["Actor"]["Attributes"].get("name", ""))
            if container.startswith(name) and event["Action"] == "start":
                found.append("both" if running else container.removeprefix(name))
                running.add(container)
            if event["Action"] == "die":
                running.discard(container)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        events.close()
        thread.join()
