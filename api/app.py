"""The FastAPI application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from temporalio.client import Client

from api import (
    applications,
    deployments,
    health,
    hooks,
    openapi,
    problems,
    tokens,
    webhooks,
    worker,
)
from api.crowd import CrowdLimit
from api.dependencies import Office
from api.limits import BodyLimit
from api.readiness import Readiness
from api.relay import Relay
from api.strangers import Strangers, StrangersLimit
from api.verification import Verification
from api.watch import Watch
from aweigh import __version__
from aweigh.core.settings import Settings
from aweigh.deployments.executions import Executions
from aweigh.github.app import GitHub
from aweigh.store.database import Store

#: Of the connections; the others are for calls that are answered at once.
_FOLLOWERS_PERCENT: Final = 60


def create_app(
    settings: Settings,
    store: Store,
    connect: Callable[[], Awaitable[Client]],
    github: GitHub,
    executions: Executions | None = None,
) -> FastAPI:
    relay = Relay(store, connect)
    verification = Verification()
    lists = ThreadPoolExecutor(1, "lists")
    watch = Watch(store, settings.api_connections * _FOLLOWERS_PERCENT // 100)
    strangers = Strangers(settings.api_failures_a_minute)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(one.run()) for one in (relay, watch)]
        try:
            yield
        finally:
            for one in running:
                one.cancel()
            await asyncio.wait(running)
            verification.close()
            lists.shutdown(wait=False, cancel_futures=True)
            strangers.close()

    app = FastAPI(title="Aweigh", version=__version__, lifespan=lifespan)
    app.add_middleware(BodyLimit)
    app.add_middleware(StrangersLimit)
    app.add_middleware(CrowdLimit)
    app.state.office = Office(
        settings,
        store,
        relay,
        github,
        verification,
        strangers,
        Readiness(store, relay),
        executions or Executions(connect),
        watch,
        lists,
    )
    problems.install(app)
    openapi.install(app)
    for room in (hooks, webhooks, applications, deployments, tokens, worker, health):
        app.include_router(room.router)
    return app
