"""The demo: a small application is deployed, then its next version under visible load."""

import asyncio
import contextlib
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
_NAMES: Final = (NAME, *(f"{NAME}-{number}" for number in range(2, 100)))
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
            AweighError: the stack or the engine refused something, or did not answer.
        """
        try:
            return await self._run()
        except httpx2.HTTPError as error:
            kind = type(error).__name__
            raise AweighError(f"the API did not answer: {kind} {error}".rstrip()) from error

    async def _run(self) -> bool:
        async with httpx2.AsyncClient(
            base_url=self.settings.api_base,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=_DEPLOY_SECONDS + 30,
            trust_env=False,
        ) as client:
            application = await find_or_create(client, self.settings, self.say)
            number = await _next_number(client, application)
            first = await self._deploy(client, application, f"v{number}")
            report, second = await self._swap(client, application, f"v{number + 1}")
        return self._sum_up(application, second, report) and first["state"] == "succeeded"

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
            opened = docker.DockerClient(base_url=self.settings.docker_host, version="auto")
            names = Names(self.settings.prefix)
            with contextlib.closing(opened) as client:
                make_image(
                    client, repository=names.demo, tag=tag, base=names.demo_base,
                    environment={"NAME": NAME, "VERSION": tag},
                )  # fmt: skip
        except (DockerException, OSError) as error:  # requests' errors are OSErrors
            raise AweighError(f"the demo's image could not be made: {error}") from error

    async def _swap(
        self, client: httpx2.AsyncClient, application: dict[str, Any], tag: str
    ) -> tuple[Report, dict[str, Any]]:
        load = Load(
            url=f"http://127.0.0.1:{self.settings.web_port}", host=_host(application["slug"]),
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
        port = "" if self.settings.web_port == 80 else f":{self.settings.web_port}"
        self.say(f"The application answers on    http://{_host(application['slug'])}{port}")
        self.say(f"The deployment in Temporal    {deployment['workflow']['url']}")
        self.say(f"Requests sent                 {report.sent}")
        self.say(f"Requests lost                 {report.failed}")
        for kind, count in report.kinds.items():
            if kind != "ok":
                self.say(f"  {kind}: {count}")
        return deployment["state"] == "succeeded" and report.failed == 0


async def find_or_create(
    client: httpx2.AsyncClient, settings: Settings, say: Callable[[str], None]
) -> dict[str, Any]:
    """The demo's application, under the first name that nobody else has or had.

    Raises:
        AweighError: the API refused it, or every name is taken.
    """
    repository = Names(settings.prefix).demo
    for name in _NAMES:
        answer = await client.get(f"/v1/applications/{name}")
        if answer.status_code == 404:
            answer = await _create(client, settings, name)
        if answer.status_code == 409:  # the name of a removed one, or somebody else's domain
            continue
        application = _taken(answer)
        if application["source"].get("image") == repository and not application["removing"]:
            say(f"The demo is the application `{name}`, http://{_host(name)}")
            return application
    raise AweighError(f"every name from {_NAMES[0]} to {_NAMES[-1]} is or was taken")


async def _create(client: httpx2.AsyncClient, settings: Settings, name: str) -> httpx2.Response:
    return await client.post(
        "/v1/applications",
        json={
            "name": name,
            "server": settings.server,
            "source": {"type": "image", "image": Names(settings.prefix).demo, "tag": "v1"},
            "domains": [{"host": _host(name), "tls": False}],
            "health_check": {"type": "http", "path": "/healthz"},
        },
    )


async def _next_number(client: httpx2.AsyncClient, application: dict[str, Any]) -> int:
    query = {"application": application["id"], "limit": "1"}
    items = _taken(await client.get("/v1/deployments", params=query))["items"]
    return 1 + (items[0]["sequence"] if items else 0)


def _host(slug: str) -> str:
    return f"{slug}.localhost"


def _taken(answer: httpx2.Response) -> dict[str, Any]:
    """The body of an answer.

    Raises:
        AweighError: what the API had against the question.
    """
    try:
        body: dict[str, Any] = answer.json()
    except ValueError as error:
        raise AweighError(f"the API answered {answer.status_code}, and no JSON") from error
    if answer.status_code == 424:
        return dict(body["deployment"])
    if answer.is_error:
        raise AweighError(f"the API answered {answer.status_code}: {body.get('detail', '')}")
    return body
