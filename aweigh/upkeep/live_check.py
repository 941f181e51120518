"""Checks whether what is live on this server answers."""

from aweigh.core.errors import AweighError
from aweigh.deployments.release import Release
from aweigh.routing.proxy_view import ProxyView
from aweigh.routing.route_files import RouteFile
from aweigh.servers.api_client import Api


class LiveCheck:
    def __init__(self, api: Api, view: ProxyView) -> None:
        self._api = api
        self._view = view

    async def answers(self, file: RouteFile) -> bool | None:
        """Whether the live generation serves; None if that cannot be determined."""
        release = await self.release_of(file)
        return await self._view.answers(release, file) if release else None

    async def release_of(self, file: RouteFile) -> Release | None:
        """Return the release of the live generation; None if the API does not return it."""
        try:
            return await self._api.release(file.generation.deployment)
        except AweighError:
            return None
