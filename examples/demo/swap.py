"""The demo's swap: a small application is deployed, then its next version under load."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import docker
import httpx2
from docker.errors import DockerException

from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from examples.demo.client import (
    DEPLOY_SECONDS,
    DemoApplication,
    address_of,
    body_of,
    connected,
    find_or_create,
    host_of,
)
from examples.demo.image import make_image
from examples.demo.names import DemoImages
from tests.support.load import Load, Report, mixed_flows, running

NAME: Final = "demo"
_RATE: Final = 200
_BEFORE_SECONDS: Final = 2.0
_AFTER_SECONDS: Final = 2.0


@dataclass
class SwapDemo:
    """A deployment, and the next one under load, against a running stack."""

    settings: Settings
    token: str
    say: Callable[[str], None]

    async def run(self) -> bool:
        """Whether both deployments succeeded and no request was lost.

        Raises:
            AweighError: the API or the engine failed or did not answer.
        """
        async with connected(self.settings, self.token) as client:
            wanted = application_of(self.settings)
            application = await find_or_create(client, wanted, self.settings.server)
            self.say(f"The demo is the application `{application['slug']}`")
            number = await _next_number(client, application)
            first = await self._deploy(client, application, f"v{number}")
            if first["state"] != "succeeded":
                self.say(f"The demo failed: {first['message']}")
                return False
            report, second = await self._swap(client, application, f"v{number + 1}")
        return self._sum_up(application, second, report)

    async def _deploy(
        self, client: httpx2.AsyncClient, application: dict[str, Any], tag: str
    ) -> dict[str, Any]:
        began = time.monotonic()
        await asyncio.to_thread(self._make_image, tag)
        self.say(f"Deploying {tag} ...")
        answer = await client.post(
            f"/v1/applications/{application['id']}/deployments",
            params={"wait": DEPLOY_SECONDS},
            json={"tag": tag},
        )
        deployment = body_of(answer)
        for step in deployment["steps"]:
            self.say(f"  {step['name']:<10}{step['state']:<11}{step['detail']}")
        self.say(f"  {deployment['state']} after {time.monotonic() - began:.1f} s")
        return deployment

    def _make_image(self, tag: str) -> None:
        try:
            opened = docker.DockerClient(base_url=self.settings.docker_host, version="auto")
            names = DemoImages(self.settings.prefix)
            with contextlib.closing(opened) as client:
                make_image(
                    client, repository=names.application, tag=tag, base=names.base,
                    environment={"NAME": NAME, "VERSION": tag},
                )  # fmt: skip
        except (DockerException, OSError) as error:  # requests' errors are OSErrors
            raise AweighError(f"the demo's image could not be made: {error}") from error

    async def _swap(
        self, client: httpx2.AsyncClient, application: dict[str, Any], tag: str
    ) -> tuple[Report, dict[str, Any]]:
        load = Load(
            url=f"http://127.0.0.1:{self.settings.web_port}", host=host_of(application["slug"]),
            name=NAME, flows=mixed_flows(_RATE),
        )  # fmt: skip
        self.say(f"Now {_RATE} requests a second, 1 of 200 taking 5 s, while {tag} takes over")
        async with running(load) as run:
            showing = asyncio.create_task(self._show(run))
            try:
                await asyncio.sleep(_BEFORE_SECONDS)
                deployment = await self._deploy(client, application, tag)
                await asyncio.sleep(_AFTER_SECONDS)
            finally:
                showing.cancel()
        return run.report(), deployment

    async def _show(self, run: Any) -> None:
        while True:
            await asyncio.sleep(0.5)
            versions = ", ".join(f"{name}: {count}" for name, count in run.versions.items())
            self.say(f"  {run.sent} sent, {run.failed} lost   answered by {versions}")

    def _sum_up(
        self, application: dict[str, Any], deployment: dict[str, Any], report: Report
    ) -> bool:
        address = address_of(application["slug"], self.settings)
        self.say(f"The application answers on    {address}")
        self.say(f"The deployment in Temporal    {deployment['workflow']['url']}")
        self.say(f"Requests sent                 {report.sent}")
        self.say(f"Requests lost                 {report.failed}")
        for kind, count in report.kinds.items():
            if kind != "ok":
                self.say(f"  {kind}: {count}")
        return deployment["state"] == "succeeded" and report.failed == 0


def application_of(settings: Settings) -> DemoApplication:
    """The application of the demo's images."""
    repository = DemoImages(settings.prefix).application
    return DemoApplication(
        name=NAME,
        source={"type": "image", "image": repository, "tag": "v1"},
        is_ours=lambda source: source.get("image") == repository,
    )


async def _next_number(client: httpx2.AsyncClient, application: dict[str, Any]) -> int:
    query = {"application": application["id"], "limit": "1"}
    items = body_of(await client.get("/v1/deployments", params=query))["items"]
    return 1 + (items[0]["sequence"] if items else 0)
