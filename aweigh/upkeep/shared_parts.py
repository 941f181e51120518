"""Restores what all applications of a server depend on: the packet filter and the proxy."""

import structlog

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.core.threads import in_thread
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route_files import RouteFiles
from aweigh.upkeep.findings import FindingsBuilder

_log = structlog.get_logger(__name__)


class SharedParts:
    def __init__(
        self, firewall: ApplicationFirewall, proxy: ProxyGuard, route_files: RouteFiles
    ) -> None:
        self._firewall = firewall
        self._proxy = proxy
        self._route_files = route_files

    async def ensure(self, findings: FindingsBuilder) -> None:
        """Repair both, and report route files that keep the proxy from reloading."""
        for path in await in_thread(self._route_files.unreadable):
            _log.error(
                "this invalid file keeps the proxy from reloading its routes", file=str(path)
            )
        with findings.isolating("packet filter"):
            if warning := await self._firewall.ensure():
                _log.warning(warning)
        with findings.isolating("proxy"):
            await self._proxy.ensure_if_needed()
