"""Keeps one application's live containers running between two reconciliations."""

from typing import Final

from aweigh.routing.live_state import LiveState
from aweigh.servers.api_client import Api
from aweigh.servers.locks import Locks
from aweigh.upkeep.repair import ContainerRepair

#: How long to wait for a lock that a step holds.
_PATIENCE_SECONDS: Final = 5.0


class LiveContainers:
    def __init__(
        self, api: Api, locks: Locks, live: LiveState, container_repair: ContainerRepair
    ) -> None:
        self._api = api
        self._locks = locks
        self._live = live
        self._container_repair = container_repair

    async def ensure_running(self, application_id: str) -> bool:
        """Restart missing live containers of one application; return whether nothing is left to do.

        It takes the same lock as all other work on the application. While a deployment is in
        flight, only that one knows which containers must run.

        Raises:
            TimeoutError: a step of the application, or its removal, is still running.
        """
        async with self._locks.holding(application_id, patience=_PATIENCE_SECONDS):
            inventory = await self._api.inventory(application_id)
            for known in inventory.applications:
                file = self._live.route_file(known.slug)
                if known.removed or file is None:
                    continue
                begun = self._live.has_begun_after(known.id, known.highest_sequence)
                if known.in_flight or begun or not await self._container_repair.repair(file):
                    return False
        return True
