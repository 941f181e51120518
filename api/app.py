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
    channels,
    deployments,
    events,
    health,
    hooks,
    openapi,
    problems,
    server_workers,
    tokens,
    webhooks,
)
from api.body_limit import BodyLimit
from api.callers import CallerLimit
from api.delivery_verification import DeliveryVerification
from api.dependencies import AppContext
from api.followers import Followers
from api.notification_relay import NotificationRelay
from api.overload import OverloadLimit
from api.rate_limits import FailureLimits
from api.readiness import Readiness
from api.relay import Relay
from aweigh import __version__
from aweigh.core.settings import Settings
from aweigh.github.app import GitHub
from aweigh.notifications.senders.address_check import AddressChecks
from aweigh.store.database import Store
from aweigh.temporal.executions import Executions

#: The share of connections for followers; the others serve calls that are answered at once.
_FOLLOWERS_PERCENT: Final = 60
_MODULES: Final = (
    hooks, webhooks, applications, deployments, events, channels, tokens, server_workers,
    health,
)  # fmt: skip


def create_app(
    settings: Settings,
    store: Store,
    connect: Callable[[], Awaitable[Client]],
    github: GitHub,
    executions: Executions | None = None,
) -> FastAPI:
    relay = Relay(store, connect)
    context = AppContext(
        settings=settings,
        store=store,
        relay=relay,
        notifications=NotificationRelay(store, connect),
        github=github,
        verification=DeliveryVerification(),
        failures=FailureLimits(settings.api_failures_a_minute),
        readiness=Readiness(store, relay),
        executions=executions or Executions(connect),
        followers=Followers(store, settings.api_connections * _FOLLOWERS_PERCENT // 100),
        address_checks=AddressChecks(),
        lists=ThreadPoolExecutor(1, "lists"),
    )
    app = FastAPI(title="Aweigh", version=__version__, lifespan=_lifespan)
    app.state.context = context
    app.add_middleware(BodyLimit)
    app.add_middleware(CallerLimit)
    app.add_middleware(OverloadLimit)
    problems.install(app)
    openapi.install(app)
    for module in _MODULES:
        app.include_router(module.router)
    app.webhooks.include_router(events.webhooks)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: AppContext = app.state.context
    parts = (context.relay, context.notifications, context.followers)
    running = [asyncio.create_task(one.run()) for one in parts]
    try:
        yield
    finally:
        context.followers.close()
        for one in running:
            one.cancel()
        await asyncio.wait(running)
        context.verification.close()
        context.lists.shutdown(wait=False, cancel_futures=True)
        context.failures.close()
