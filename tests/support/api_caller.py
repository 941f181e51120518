"""The API in this process: a real store behind it, and a Temporal that is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from temporalio.client import Client

from api.app import create_app
from aweigh.core.settings import Settings
from aweigh.github.app import GitHub
from aweigh.store import tokens
from aweigh.store.database import Store
from aweigh.store.tokens import Bearer, Scope
from aweigh.temporal.executions import Executions
from tests.support.installation import IMAGE, SERVER

BEARERS = {
    "admin": Bearer(name="admin", scope=Scope.ADMIN),
    "deploy": Bearer(name="ci", scope=Scope.DEPLOY),
    "read": Bearer(name="wall", scope=Scope.READ),
    "server": Bearer(name="server-local", scope=Scope.SERVER, server=SERVER),
    "elsewhere": Bearer(name="server-eu", scope=Scope.SERVER, server="eu-1"),
}


async def away() -> Client:
    raise RuntimeError("Temporal is away")


@dataclass(frozen=True)
class Caller:
    """A client of the API, with a token of every scope."""

    app: FastAPI
    store: Store
    client: httpx2.AsyncClient
    tokens: Mapping[str, str]

    async def call(
        self, method: str, path: str, *, scope: str = "admin", **options: Any
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.tokens[scope]}"} | options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        """What stands there; asserts that it could be read."""
        answer = await self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def create(self, name: str = "shop", **fields: Any) -> dict[str, Any]:
        """A new application; asserts that it was taken."""
        source = {"type": "image", "image": IMAGE, "tag": "v1"} | fields.pop("source", {})
        answer = await self.call(
            "POST", "/v1/applications", json={"name": name, "source": source, **fields}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def hook(
        self, application: Mapping[str, Any], *, secret: str | None = None, **options: Any
    ) -> httpx2.Response:
        """Call the deploy hook, as CI would."""
        known = application["deploy_secret"] if secret is None else secret
        headers = {"X-Deploy-Secret": known} | options.pop("headers", {})
        path = f"/v1/events/{application['deploy_hook']}"
        return await self.client.post(path, headers=headers, **options)

    async def deploy(self, application: Mapping[str, Any], **options: Any) -> str:
        """The id of a new deployment: asked for again where too many ask at once."""
        while (answer := await self.hook(application, **options)).status_code == 503:
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def open_api(
    store: Store,
    data: Path,
    github: GitHub | None = None,
    executions: Executions | None = None,
    connect: Callable[[], Awaitable[Client]] = away,
    **settings: Any,
) -> AsyncIterator[Caller]:
    given = Settings(data=data, **settings)
    app = create_app(given, store, connect, github or GitHub("https://api.github.com"), executions)
    async with store.write() as tx:
        issued = {name: await tokens.issue(tx, bearer) for name, bearer in BEARERS.items()}
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://aweigh"
    )
    async with app.router.lifespan_context(app), client:
        yield Caller(app, store, client, issued)
