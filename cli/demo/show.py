"""The demo: a small application is deployed, then its next version under visible load."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import docker
import httpx2
from docker.errors import DockerException

from aweigh.domain.errors import AweighError
from aweigh.domain.naming import Names
from aweigh.settings import Settings
from cli.demo.image import make_image
from cli.demo.load import Load, Report, mixed_flows, running

NAME: Final = "demo"
HOST: Final = "demo.localhost"
_RATE: Final = 200
_BEFORE_SECONDS: Final = 2.0
_AFTER_SECONDS: Final = 2.0
_DEPLOY_SECONDS: Final = 120


@dataclass
class Demo:
    """One run of the demo against a running stack."""

    settings: Settings
    token: str
    say: Callable[[str], None]

    async def run(self) -> bool:
        """Whether both deployments succeeded and no request was lost.

        Raises:
            AweighError: the stack or the engine refused something.
        """
        async with httpx2.AsyncClient(
            base_url=self.settings.api_base,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=_DEPLOY_SECONDS + 30,
            trust_env=False,
        ) as client:
            application = await self._application(client)
            number = await self._next_number(client)
            first = await self._deploy(client, application, f"v{number}")
            report, second = await self._swap(client, application, f"v{number + 1}")
        return self._sum_up(first, second, report)

    async def _application(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        repository = Names(self.settings.prefix).demo
        known = await client.get(f"/v1/applications/{NAME}")
        if known.status_code == 404:
            self.say(f"Creating the application `{NAME}` for http://{HOST}")
            known = await client.post(
                "/v1/applications",
                json={
                    "name": NAME,
                    "server": self.settings.server,
                    "source": {"type": "image", "image": repository, "tag": "v1"},
                    "domains": [{"host": HOST, "tls": False}],
                    "health_check": {"type": "http", "path": "/healthz"},
                },
            )
        return _taken(known)

    async def _next_number(self, client: httpx2.AsyncClient) -> int:
        query = {"application": NAME, "limit": "1"}
        items = _taken(await client.get("/v1/deployments", params=query))["items"]
        return 1 + (items[0]["sequence"] if items else 0)

    async def _deploy(
        self, client: httpx2.AsyncClient, application: dict[str, Any], tag: str
    ) -> dict[str, Any]:
        began = time.monotonic()
        await asyncio.to_thread(self._make_image, tag)
        self.say(f"Deploying {tag} ...")
        answer = await client.post(
            f"/v1/applications/{application['id']}/deployments",
            params={"wait": _DEPLOY_SECONDS},
            json={"tag": tag},
        )
        deployment = _taken(answer)
        for step in deployment["steps"]:
            self.say(f"  {step['name']:<10}{step['state']:<11}{step['detail']}")
        self.say(f"  {deployment['state']} after {time.monotonic() - began:.1f} s")
        return deployment

    def _make_image(self, tag: str) -> None:
        try:
            client = docker.DockerClient(base_url=self.settings.docker_host, version="auto")
            names = Names(self.settings.prefix)
            make_image(
                client, repository=names.demo, tag=tag, base=names.demo_base,
                environment={"NAME": NAME, "VERSION": tag},
            )  # fmt: skip
            client.close()
        except DockerException as error:
            raise AweighError(f"the demo's image could not be made: {error}") from error

    async def _swap(
        self, client: httpx2.AsyncClient, application: dict[str, Any], tag: str
    ) -> tuple[Report, dict[str, Any]]:
        load = Load(
            url=f"http://127.0.0.1:{self.settings.web_port}", host=HOST, name=NAME,
            flows=mixed_flows(_RATE),
        )  # fmt: skip
        self.say(f"Now {_RATE} requests a second, 1 of 200 taking 5 s, while {tag} takes over")
        async with running(load) as run:
            showing = asyncio.create_task(self._show(run))
            await asyncio.sleep(_BEFORE_SECONDS)
            deployment = await self._deploy(client, application, tag)
            await asyncio.sleep(_AFTER_SECONDS)
            showing.cancel()
        return run.report(), deployment

    async def _show(self, run: Any) -> None:
        while True:
            await asyncio.sleep(0.5)
            versions = ", ".join(f"{name}: {count}" for name, count in run.versions.items())
            self.say(f"  {run.sent} sent, {run.failed} lost   answered by {versions}")

    def _sum_up(self, first: dict[str, Any], second: dict[str, Any], report: Report) -> bool:
        port = "" if self.settings.web_port == 80 else f":{self.settings.web_port}"
        self.say(f"The application answers on    http://{HOST}{port}")
        self.say(f"The deployment in Temporal    {second['workflow']['url']}")
        self.say(f"Requests sent                 {report.sent}")
        self.say(f"Requests lost                 {report.failed}")
        for kind, count in report.kinds.items():
            if kind != "ok":
                self.say(f"  {kind}: {count}")
        states = (first["state"], second["state"])
        return states == ("succeeded", "succeeded") and report.failed == 0


def _taken(answer: httpx2.Response) -> dict[str, Any]:
    """The body of an answer, or what the API had against the question."""
    body: dict[str, Any] = answer.json()
    if answer.status_code == 424:
        return dict(body["deployment"])
    if answer.is_error:
        raise AweighError(f"the API answered {answer.status_code}: {body.get('detail', '')}")
    return body
