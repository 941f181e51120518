"""`aweigh worker server`: the steps that use this server's Docker engine."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from aweigh import __version__
from aweigh.contract import LEASE_SECONDS, Lease
from aweigh.core.errors import (
    AweighError,
    Conflict,
    StartupError,
    Unavailable,
)
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.core.tls import trusted
from aweigh.deployments.step_errors import StepUnavailable
from aweigh.logging import mask_logs
from aweigh.servers.api_client import Api
from aweigh.upkeep.reconciler import Reconciler
from worker.branch_poller import BranchPoller
from worker.children import boot_id
from worker.engine_events import EngineEvent, follow
from worker.engine_facts import EngineFacts, engine_facts
from worker.event_repair import EventRepair
from worker.failures import PlainErrors
from worker.process import in_background, lower_priority, run, unless_stopped
from worker.route_servers import RouteServers
from worker.secrets import identity_of, read_secret
from worker.server_parts import ServerParts
from worker.server_wiring import Activities, ServerWiring
from worker.temporal import connect_patiently
from workflows.names import build_queue, pull_queue, steps_queue, waits_queue

_STEPS_AT_ONCE: Final = 100
#: Waiting steps cost almost nothing, and may take an hour.
_WAITS_AT_ONCE: Final = 1000
_PULLS_AT_ONCE: Final = 3
#: Send heartbeats immediately: by default the SDK holds back four of five.
_OPTIONS: Final[Mapping[str, Any]] = {
    "graceful_shutdown_timeout": timedelta(seconds=10),
    "max_heartbeat_throttle_interval": timedelta(seconds=1),
}
_RENEW_SECONDS: Final = LEASE_SECONDS / 3

_log = structlog.get_logger(__name__)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    identity, booted = await in_thread(lambda: identity_of(settings)), boot_id()
    await in_thread(trusted)
    api = Api(settings.api_base, read_secret(settings.token_file), identity, booted)
    mask_logs(api.secrets.all)
    lease = Lease(identity=identity, boot=booted, worker_version=__version__)
    await unless_stopped(_take_name(api, lease), stop)
    instance = (await api.inventory()).instance
    facts = await unless_stopped(_ask_engine(settings, instance, identity), stop)
    parts = ServerParts(settings, instance, identity, facts)
    await in_thread(parts.prepare)
    wiring = ServerWiring(parts, api)
    poller = BranchPoller(api, parts.targets, settings.server_data / "branch-polls")
    client = await unless_stopped(connect_patiently(settings), stop)
    async with (
        in_background(wiring.journal.ship()),
        in_background(_keep_name(api, lease, stop)),
        _workers(client, settings, wiring.activities(), api.secrets.all),
        in_background(_reconcile_once(wiring.reconciler)),
        in_background(_follow_the_engine(parts, wiring, api)),
        in_background(poller.run(settings.branch_poll_seconds)),
    ):
        serving = settings.server_data / "serving"
        await in_thread(lambda: serving.write_text(str(os.getpid())))
        _log.info("serving", server=settings.server, instance=instance)
        await stop.wait()


async def _follow_the_engine(parts: ServerParts, wiring: ServerWiring, api: Api) -> None:
    names = parts.installation.names
    servers = RouteServers(api, parts.locks, parts.live, parts.containers, parts.probe, names)
    repair = EventRepair(parts.route_files, parts.containers, wiring.live_containers, parts.proxy)

    def take(event: EngineEvent | None) -> None:
        servers.take(event)
        repair.take(event)

    follow(parts.engine, parts.installation.instance, take)
    await asyncio.gather(servers.run(), repair.run())


async def _reconcile_once(reconciler: Reconciler) -> None:
    """Reconcile at once, so that remains of a crash do not wait for the schedule."""
    try:
        await reconciler.reconcile()
    except (AweighError, OSError) as error:
        _log.warning("the first reconciliation failed", error=str(error))


async def _take_name(api: Api, lease: Lease) -> None:
    """Wait for the API, however long it is unavailable, and take the server's name.

    Raises:
        StartupError: another server worker keeps the name.
    """
    refused = 0
    while True:
        try:
            await api.lease(lease)
        except Unavailable as error:
            _log.warning("waiting for the API", error=str(error))
        except Conflict as error:
            refused += 1
            _log.warning("the server's name is held", error=str(error))
            if refused > 2 * LEASE_SECONDS:
                raise StartupError(str(error)) from error
        else:
            return
        await asyncio.sleep(1)


async def _ask_engine(settings: Settings, instance: str, identity: str) -> EngineFacts:
    """Wait for the engine, which may start later than this worker.

    Raises:
        StartupError: the prefix or the subnet belongs to another installation.
    """
    while True:
        try:
            return await engine_facts(settings, instance, identity)
        except StepUnavailable as error:
            _log.warning("waiting for the engine", error=str(error))
        await asyncio.sleep(1)


async def _keep_name(api: Api, lease: Lease, stop: asyncio.Event) -> None:
    """Renew the lease; stop this worker if another one has it."""
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        try:
            await api.lease(lease)
        except Unavailable:
            continue  # nobody else can take the name either
        except Conflict as error:
            _log.error(
                "stopping: another server worker has taken the server's name", error=str(error)
            )
            stop.set()
            return


@asynccontextmanager
async def _workers(
    client: Client,
    settings: Settings,
    activities: Activities,
    secrets: Callable[[], list[str]],
) -> AsyncIterator[None]:
    slots: dict[Callable[[str], str], int] = {
        steps_queue: _STEPS_AT_ONCE,
        waits_queue: _WAITS_AT_ONCE,
        pull_queue: _PULLS_AT_ONCE,
        build_queue: settings.build_slots,
    }
    async with AsyncExitStack() as running:
        for queue, here in activities.items():
            worker = Worker(
                client,
                task_queue=queue(settings.server),
                activities=here,
                max_concurrent_activities=slots[queue],
                identity=f"server {settings.server}",
                build_id=__version__,  # by default the SDK reads and hashes every module
                interceptors=[PlainErrors(secrets)],
                **_OPTIONS,
            )
            await running.enter_async_context(worker)
        yield


def main() -> None:
    lower_priority()
    run(work)
