"""What a lane asks of the database before it believes a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import as_application_errors, caller
from activities.inputs import TurnsAsked, TurnsKnown

if TYPE_CHECKING:
    from aweigh.store.lanes import Lanes


class TurnActivities:
    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    @activity.defn(name="ask_turns")
    async def known(self, asked: TurnsAsked) -> TurnsKnown:
        """Answer what is known of them; whose they must be, the id of the lane itself says."""
        async with as_application_errors("ask turns"):
            return TurnsKnown(await self._lanes.turns(caller().workflow_id, asked.deployments))
