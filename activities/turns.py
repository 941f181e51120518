"""Turns in the database: a lane trusts nothing in a signal but the ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.inputs import TurnsInput, TurnsResult

if TYPE_CHECKING:
    from aweigh.store.lanes import Lanes


class TurnActivities:
    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    @activity.defn(name="read_turns")
    async def read(self, submitted: TurnsInput) -> TurnsResult:
        """Return the turns of the application whose lane calls; other ids are left out."""
        async with as_application_errors("read turns"):
            lane = caller().workflow_id
            return TurnsResult(await self._lanes.turns(lane, submitted.deployment_ids))
