"""Restores what all applications and builds of a server depend on: packet filter and proxy."""

import structlog

from aweigh.builds.network import BuildNetwork
from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.core.threads import in_thread
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.route_files import RouteFiles
from aweigh.upkeep.findings import FindingsBuilder

_log = structlog.get_logger(__name__)


class SharedParts:
    def __init__(
        self,
        firewall: ApplicationFirewall,
        build_network: BuildNetwork,
        proxy: ProxyGuard,
        route_files: RouteFiles,
    ) -> None:
        self._firewall = firewall
        self._build_network = build_network
        self._proxy = proxy
        self._route_files = route_files

    async def ensure(self, findings: FindingsBuilder) -> None:
        """Repair them, and report route files that keep the proxy from reloading."""
        for path in await in_thread(self._route_files.unreadable):
            _log.error(
                "this invalid file keeps the proxy from reloading its routes", file=str(path)
            )
        with findings.isolating("packet filter"):
            if warning := await self._firewall.ensure():
                _log.warning(warning)
        with findings.isolating("packet filter of builds"):
            if warning := await self._build_network.restore_firewall():
                _log.warning(warning)
        with findings.isolating("proxy"):
            await self._proxy.ensure_if_needed()
