"""`aweigh api`: the HTTP API and the relay."""

import asyncio
from functools import partial
from typing import Any

import uvicorn
from temporalio.client import Client

from api.app import create_app
from aweigh.core.settings import Settings
from worker.connection_limits import (
    BACKLOG,
    Connections,
    GuardedProtocol,
    Limits,
    allow_many_files,
)
from worker.github import open_github
from worker.process import run
from worker.store import open_store
from worker.temporal import connect, tls_of


class _Connection:
    """One Temporal client, connected on first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None

    async def __call__(self) -> Client:
        if self._client is None:
            self._client = await connect(self._settings)
        return self._client


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    tls_of(settings)  # an unreadable file must fail the start, not the first deployment
    connections = allow_many_files(settings.api_connections)
    settings = settings.model_copy(update={"api_connections": connections})
    store = await open_store(settings)
    github = await open_github(settings)
    app = create_app(settings, store, _Connection(settings), github)
    server = uvicorn.Server(configured(app, settings))
    serving = asyncio.create_task(server._serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    app.state.context.followers.close()
    server.should_exit = True
    await serving
    await github.close()
    await store.close()


def configured(app: Any, settings: Settings) -> uvicorn.Config:
    proxies = settings.api_trusted_proxies
    limits = Limits(connections=settings.api_connections, shared=proxies)
    protocol: Any = partial(GuardedProtocol, Connections(limits))
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=protocol,
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[str(one) for one in proxies],
        backlog=BACKLOG,
        log_config=None,
        access_log=False,  # paths of deploy hooks contain a part of the secret
        timeout_graceful_shutdown=5,
    )


def main() -> None:
    run(serve)
