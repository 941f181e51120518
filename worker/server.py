"""`aweigh worker server`: the steps that touch this server's Docker engine."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from activities.generation import GenerationActivities
from activities.housekeeping import HousekeepingActivities
from activities.image import ImageActivities
from activities.reconcile import ReconcileActivities
from activities.routing import RoutingActivities
from activities.step import Steps
from aweigh import __version__
from aweigh.adapters.api import Api
from aweigh.adapters.journal import Journal
from aweigh.adapters.server import Server, open_server
from aweigh.contract import LEASE_SECONDS, Lease
from aweigh.domain.errors import AweighError, Conflict, StartupError, Unavailable
from aweigh.settings import Settings
from worker.keeper import Keeper
from worker.process import run
from worker.secrets import identity_of, read_secret
from worker.temporal import connect_patiently
from workflows.names import pull_queue, steps_queue

_PULLS_AT_ONCE: Final = 3
_RENEW_SECONDS: Final = LEASE_SECONDS / 3

_log = structlog.get_logger(__name__)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    identity, boot = identity_of(settings), _boot()
    api = Api(settings.api_base, read_secret(settings.token_file), identity, boot)
    lease = Lease(identity=identity, boot=boot, worker_version=__version__)
    await _take_name(api, lease, settings)
    instance = (await api.inventory()).instance
    server = await open_server(settings, instance, identity)
    journal = Journal(settings.server_data / "journal", api)
    reconciler = ReconcileActivities(server, api, journal)
    client = await connect_patiently(settings)
    async with (
        _in_background(journal.ship()),
        _in_background(_keep_name(api, lease, stop)),
        _workers(client, settings, server, Steps(api, journal), reconciler, api),
        _in_background(_reconcile_once(reconciler)),
        _in_background(Keeper(server, api).run()),
    ):
        (settings.server_data / "serving").write_text(str(os.getpid()))
        _log.info("serving", server=settings.server, instance=instance)
        await stop.wait()


async def _reconcile_once(reconciler: ReconcileActivities) -> None:
    """What a crash left behind is not left until the schedule comes round."""
    try:
        await reconciler.run()
    except AweighError as error:
        _log.warning("the first reconciliation failed", error=str(error))


def _boot() -> str:
    """Changes with every boot: a clone of this machine has another one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


async def _take_name(api: Api, lease: Lease, settings: Settings) -> None:
    """Raises: StartupError when another server worker goes on holding the name."""
    refused = ""
    for _ in range(2 * LEASE_SECONDS):
        try:
            await api.lease(lease)
        except Unavailable as error:
            _log.warning("waiting for the API", error=str(error))
        except Conflict as error:
            refused = str(error)
            _log.warning("the server's name is held", error=refused)
        else:
            return
        await asyncio.sleep(1)
    raise StartupError(refused or f"the API at {settings.api_base} does not answer")


async def _keep_name(api: Api, lease: Lease, stop: asyncio.Event) -> None:
    """Renew the lease; stop working when somebody else has it."""
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        try:
            await api.lease(lease)
        except Unavailable:
            continue  # nobody else can take the name either
        except Conflict as error:
            _log.error("stopping: the server's name was taken", error=str(error))
            stop.set()
            return


@asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _workers(
    client: Client,
    settings: Settings,
    server: Server,
    steps: Steps,
    reconciler: ReconcileActivities,
    api: Api,
) -> AsyncIterator[None]:
    images = ImageActivities(server, steps)
    generations = GenerationActivities(server, steps)
    routing = RoutingActivities(server, steps)
    housekeeping = HousekeepingActivities(server, steps, api)
    identity = f"server {settings.server}"
    async with (
        Worker(
            client,
            task_queue=steps_queue(settings.server),
            activities=[
                housekeeping.preflight, generations.release, generations.create,
                generations.health, routing.switch, routing.drain, generations.remove,
                housekeeping.sweep, generations.undo, housekeeping.remove_application,
                reconciler.reconcile,
            ],
            max_concurrent_activities=100,
            graceful_shutdown_timeout=timedelta(seconds=10),
            identity=identity,
        ),
        Worker(
            client,
            task_queue=pull_queue(settings.server),
            activities=[images.pull],
            max_concurrent_activities=_PULLS_AT_ONCE,
            graceful_shutdown_timeout=timedelta(seconds=10),
            identity=identity,
        ),
    ):  # fmt: skip
        yield


def main() -> None:
    run(work)
