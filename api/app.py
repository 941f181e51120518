"""The FastAPI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from temporalio.client import Client

from api import applications, deployments, health, hooks, problems, tokens, worker
from api.dependencies import Office
from api.limits import LengthLimit
from api.relay import Relay
from aweigh import __version__
from aweigh.settings import Settings
from aweigh.store.database import Store

#: No body of this API comes near it; the logs of server workers travel in smaller chunks.
_LARGEST_BODY: Final = 1024 * 1024


def create_app(
    settings: Settings, store: Store, connect: Callable[[], Awaitable[Client]]
) -> FastAPI:
    relay = Relay(store, connect)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    app = FastAPI(title="Aweigh", version=__version__, lifespan=lifespan)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=_LARGEST_BODY)
    app.add_middleware(LengthLimit, longest=_LARGEST_BODY)
    app.state.office = Office(settings, store, relay)
    problems.install(app)
    for room in (hooks, applications, deployments, tokens, worker, health):
        app.include_router(room.router)
    return app
