"""Repositories that become releases: a stack, a git server and a small real builder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import docker

from cli.demo.image import APPLICATION
from tests.support.git_server import GitServer
from tests.support.outside import until
from tests.support.stack import Stack

PROCFILE = "web: /usr/local/bin/python -I -S -B application.py\n"
#: So long is the time before each line of a log.
STAMP = len("2026-11-23T07:11:08.123Z ")
#: Settings of a stack that builds from a git server on this machine.
BUILDING = {"AWEIGH_PRIVATE_TARGETS": '["127.0.0.0/8"]'}
#: A repository that any build makes a running application of.
FILES = {"Procfile": PROCFILE, "application.py": APPLICATION.read_text()}


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

    def leavings(self) -> list[str]:
        """What builds have left on the engine and on disk."""
        prefix = f"{self.stack.prefix}.build-"
        found = [*self.engine.containers.list(all=True), *self.engine.volumes.list()]
        names = [str(one.name) for one in found if str(one.name).startswith(prefix)]
        builds = self.stack.data / "server" / "builds"
        return names + [one.name for one in builds.iterdir() if one.is_dir()]
