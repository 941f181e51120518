"""The reconciliation of a server: what runs there, compared with what the database expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.heartbeat import heartbeating
from activities.inputs import ReconcileInput, ReconcileResult

if TYPE_CHECKING:
    from aweigh.servers.api_client import Api
    from aweigh.upkeep.reconciler import Reconciler


class ReconcileActivity:
    def __init__(self, api: Api, reconciler: Reconciler) -> None:
        self._api = api
        self._reconciler = reconciler

    @activity.defn(name="reconcile_server")
    async def reconcile(self, _: ReconcileInput) -> ReconcileResult:
        """Reconcile the server; tell the API which deployments are live and answer there.

        Never through the workflow: its input can be forged by anyone who reaches Temporal.
        """
        async with heartbeating(), as_application_errors("reconcile", self._api.secrets.all):
            found = await self._reconciler.reconcile(caller().run_id)
            await self._api.found(found)
            return ReconcileResult(len(found.live), len(found.unsure), list(found.skipped))
