"""The demo's push: a commit, a webhook signed as by GitHub, a build on this machine, live."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import docker
import httpx2
from docker.errors import DockerException

from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from aweigh.engine.engine import Engine
from aweigh.images.images import Images
from examples.demo.builder.choice import Chosen, choose_builder
from examples.demo.client import (
    DemoApplication,
    address_of,
    body_of,
    connected,
    find_or_create,
    host_of,
)
from examples.demo.github import delivery
from examples.demo.image import APPLICATION
from examples.demo.names import DemoImages
from examples.demo.repository import Repository

NAME: Final = "demo-push"
#: The default builder is pulled first, which may take a while.
_LONGEST_SECONDS: Final = 1800
_POLL_SECONDS: Final = 2


@dataclass
class PushDemo:
    """One push to the demo's repository, followed until it is live."""

    settings: Settings
    token: str
    repository: Repository
    say: Callable[[str], None]

    async def run(self) -> bool:
        """Whether the pushed commit is live.

        Raises:
            AweighError: the API, the engine or git failed or did not answer.
        """
        self.say("")
        self.say("Now an application that is built here at every push to its repository.")
        chosen = await self._choose()
        async with connected(self.settings, self.token) as client:
            application = await self._application(client, chosen)
            version, began = time.strftime("%H:%M:%S"), time.monotonic()
            deployment = await self._push(client, application, chosen, version)
            ended = await self._follow(client, deployment)
            seconds = time.monotonic() - began
            answered = await self._ask(client, application["slug"])
        self._sum_up(application, ended, answered, f"{seconds:.1f} s, built by {chosen.builder}")
        return ended["state"] == "succeeded" and answered == f"{NAME} {version}"

    async def _choose(self) -> Chosen:
        names = DemoImages(self.settings.prefix)
        try:
            client = docker.DockerClient(base_url=self.settings.docker_host, version="auto")
        except DockerException as error:
            raise AweighError(f"the Docker engine does not answer: {error}") from error
        try:
            images = Images(Engine(self.settings.docker_host))
            lifecycle = self.repository.root / "lifecycle"
            return await choose_builder(client, images, names, lifecycle, self.say)
        finally:
            client.close()

    async def _application(self, client: httpx2.AsyncClient, chosen: Chosen) -> dict[str, Any]:
        """The demo's application, updated with the repository's port of this run."""
        source = {
            "type": "git", "repository": self.repository.url, "build": {"builder": chosen.builder},
        }  # fmt: skip
        wanted = DemoApplication(NAME, source, lambda given: _path(given) == _path(source))
        application = await find_or_create(client, wanted, self.settings.server)
        path = f"/v1/applications/{application['id']}"
        body_of(await client.patch(path, json={"source": source}))
        settings = body_of(await client.get(f"{path}/settings"))
        return application | {"webhook_secret": settings["webhook_secret"]}

    async def _push(
        self,
        client: httpx2.AsyncClient,
        application: dict[str, Any],
        chosen: Chosen,
        version: str,
    ) -> str:
        """Push a commit and send GitHub's webhook for it; return the deployment's id."""
        message = f"Say that it is {version}"
        before, after = await asyncio.to_thread(
            self.repository.push, _files(version, chosen), message
        )
        self.say(f"Pushed {after[:12]} ({message}) to {self.repository.url}")
        payload = _payload(self.repository.url, before, after, message)
        request = delivery(payload, application["webhook_secret"])
        answer = await client.post("/v1/github/webhooks", **request)
        deployments: list[str] = body_of(answer)["deployments"]
        if not deployments:
            raise AweighError(f"the push made no deployment: {answer.text}")
        return deployments[0]

    async def _follow(self, client: httpx2.AsyncClient, deployment_id: str) -> dict[str, Any]:
        """Return the ended deployment; meanwhile print each step and its progress."""
        said: dict[str, str] = {}
        deadline = time.monotonic() + _LONGEST_SECONDS
        while time.monotonic() < deadline:
            answer = await client.get(
                f"/v1/deployments/{deployment_id}", params={"wait": _POLL_SECONDS}
            )
            deployment = body_of(answer)
            for step in deployment["steps"]:
                line = f"  {step['name']:<10}{step['state']:<11}{step['detail']}".rstrip()
                if said.get(step["name"]) != line:
                    said[step["name"]] = line
                    self.say(line)
            if deployment["state"] in ("succeeded", "failed"):
                return deployment
        raise AweighError(f"the push is not live after {_LONGEST_SECONDS} s")

    async def _ask(self, client: httpx2.AsyncClient, slug: str) -> str:
        """The application's answer through the proxy."""
        url = f"http://127.0.0.1:{self.settings.web_port}/"
        return (await client.get(url, headers={"Host": host_of(slug)})).text.strip()

    def _sum_up(
        self, application: dict[str, Any], ended: dict[str, Any], answered: str, took: str
    ) -> None:
        if ended["state"] == "succeeded":
            self.say(
                f"The push is live on           {address_of(application['slug'], self.settings)}"
            )
            self.say(f"It answers                    {answered}")
            self.say(f"From push to live             {took}")
        else:
            self.say(f"The push failed               {ended['reason']}: {ended['message']}")
        self.say(f"Its deployment in Temporal    {ended['workflow']['url']}")


def _path(source: Mapping[str, Any]) -> str:
    """The repository's address without its port, which is another one in every run."""
    return urlsplit(str(source.get("repository", ""))).path


def _files(version: str, chosen: Chosen) -> dict[str, str]:
    """The sample application with this version; buildpacks recognise Python by the last file."""
    program = APPLICATION.read_text()
    for default, own in (('"demo"', NAME), ('"unknown"', version)):
        program = program.replace(default, repr(own))
    return {
        "application.py": program,
        "Procfile": f"web: {chosen.python} application.py\n",
        "requirements.txt": "# nothing but the standard library\n",
    }


def _payload(repository: str, before: str, after: str, message: str) -> dict[str, Any]:
    commit = {"id": after, "message": message, "modified": ["application.py"]}
    return {
        "ref": "refs/heads/main", "before": before, "after": after,
        "commits": [commit], "head_commit": commit,
        "repository": {"clone_url": repository, "pushed_at": int(time.time())},
        "pusher": {"name": NAME},
    }  # fmt: skip
