"""The removal of an application from its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.heartbeat import heartbeating
from activities.inputs import RemovalInput, RemovalResult

if TYPE_CHECKING:
    from aweigh.servers.api_client import Api
    from aweigh.servers.locks import Locks
    from aweigh.upkeep.removal import ApplicationRemoval


class RemoveApplicationActivity:
    def __init__(self, api: Api, locks: Locks, removal: ApplicationRemoval) -> None:
        self._api = api
        self._locks = locks
        self._removal = removal

    @activity.defn(name="remove_application")
    async def remove_application(self, given: RemovalInput) -> RemovalResult:
        """Remove the application, if the API says that it is to be removed.

        The payload only says which application to ask about.
        """
        secrets = self._api.secrets.all
        async with heartbeating(), as_application_errors("remove_application", secrets):
            removal = await self._api.removal(given.application_id, caller().run_id)
            async with self._locks.holding(removal.application):
                await self._removal.remove(removal)
        return RemovalResult()
