"""Makes a server ready for a release, or refuses it, before anything of the application changes."""

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.host_access import HostAccess
from aweigh.deployments.release import Release
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.servers.disk import DiskReserve


class ServerReadiness:
    def __init__(
        self, host: HostAccess, disk: DiskReserve, proxy: ProxyGuard, firewall: ApplicationFirewall
    ) -> None:
        self._host = host
        self._disk = disk
        self._proxy = proxy
        self._firewall = firewall

    async def ensure(self, release: Release) -> str:
        """Reject a release that cannot work here; have proxy and packet filter. Return a warning.

        Raises:
            StepError: a bind mount, a port, the disk or the proxy prevents it.
        """
        self._disk.refuse_if_below("A deployment")
        await self._host.refuse_unavailable(release)
        if release.settings.domains:
            await self._proxy.ensure()
        return await self._firewall.ensure()
