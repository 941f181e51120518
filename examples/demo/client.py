"""The demo as a client of the API."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.core.tls import trusted

#: How long one call waits for the end of a deployment.
DEPLOY_SECONDS: Final = 120
_NAMES_TRIED: Final = 99


@asynccontextmanager
async def connected(settings: Settings, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a client of the API.

    Raises:
        AweighError: the API did not answer.
    """
    try:
        async with httpx2.AsyncClient(
            base_url=settings.api_base,
            headers={"Authorization": f"Bearer {token}"},
            timeout=DEPLOY_SECONDS + 30,
            trust_env=False,
            verify=await in_thread(trusted),
        ) as client:
            yield client
    except httpx2.HTTPError as error:
        kind = type(error).__name__
        raise AweighError(f"the API did not answer: {kind} {error}".rstrip()) from error


@dataclass(frozen=True)
class DemoApplication:
    """An application that the demo creates."""

    name: str
    source: Mapping[str, Any]
    #: Whether an application's source shows that the demo made it.
    is_ours: Callable[[Mapping[str, Any]], bool]

    def body(self, name: str, server: str) -> dict[str, Any]:
        return {
            "name": name,
            "server": server,
            "source": self.source,
            "domains": [{"host": host_of(name), "tls": False}],
            "health_check": {"type": "http", "path": "/healthz"},
        }


async def find_or_create(
    client: httpx2.AsyncClient, wanted: DemoApplication, server: str
) -> dict[str, Any]:
    """Return the application, created under the first name that is free and was never used.

    Raises:
        AweighError: the API answered with an error, or no name is free.
    """
    names = [wanted.name, *(f"{wanted.name}-{number}" for number in range(2, _NAMES_TRIED + 1))]
    for name in names:
        answer = await client.get(f"/v1/applications/{name}")
        if answer.status_code == 404:
            answer = await client.post("/v1/applications", json=wanted.body(name, server))
        if answer.status_code == 409:  # the name of a removed application, or another's domain
            continue
        application = body_of(answer)
        if wanted.is_ours(application["source"]) and not application["removing"]:
            return application
    raise AweighError(f"no name from {names[0]} to {names[-1]} is free")


def host_of(slug: str) -> str:
    return f"{slug}.localhost"


def address_of(slug: str, settings: Settings) -> str:
    """The application's URL for a browser on this machine."""
    port = "" if settings.web_port == 80 else f":{settings.web_port}"
    return f"http://{host_of(slug)}{port}"


def body_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the body of an answer; the deployment, where it says that one failed.

    Raises:
        AweighError: the API answered with an error.
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
