"""Keeps the proxy running for steps and the reconciler, under the server's lock."""

from aweigh.deployments.step_errors import ProxyImageGone
from aweigh.engine.naming import SERVER_LOCK
from aweigh.routing.proxy import Proxy
from aweigh.routing.route_files import RouteFiles
from aweigh.servers.locks import Locks


class ProxyGuard:
    def __init__(self, proxy: Proxy, route_files: RouteFiles, locks: Locks) -> None:
        self._proxy = proxy
        self._route_files = route_files
        self._locks = locks

    async def ensure(self) -> None:
        """Start the proxy unless it runs; its image is pulled before the lock is taken.

        Raises:
            StepError: its image cannot be pulled, or the proxy cannot be started.
        """
        await self._proxy.prepare()
        async with self._locks.holding(SERVER_LOCK):
            await self._proxy.ensure()

    async def ensure_if_needed(self) -> None:
        """Start the proxy if an application is routed, or if it was installed before.

        Raises:
            StepError: as `ensure`.
        """
        if any(self._route_files.routed.glob("*.yml")) or await self._proxy.installed():
            await self.ensure()

    async def ensure_from_local_image(self) -> None:
        """Start the proxy without pulling anything.

        Raises:
            ProxyImageGone: its image must be pulled first, which takes longer than a switch may.
            StepError: the proxy cannot be started.
        """
        if not await self._proxy.can_run():
            raise ProxyImageGone
        async with self._locks.holding(SERVER_LOCK):
            await self._proxy.ensure()

    async def recreate(self) -> None:
        """Replace the proxy's container by one with the current settings.

        Raises:
            StepError: its image cannot be pulled, or the new proxy cannot be started.
        """
        await self._proxy.image()
        async with self._locks.holding(SERVER_LOCK):
            await self._proxy.recreate()
