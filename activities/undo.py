"""Undo: the application is as it was; or the deployment is found to be live after all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.inputs import StepInput, UndoResult
from activities.step import Steps
from aweigh.deployments.deployment import StepName

if TYPE_CHECKING:
    from aweigh.upkeep.undo import Undo


class UndoActivity:
    def __init__(self, steps: Steps, undo: Undo) -> None:
        self._steps = steps
        self._undo = undo

    @activity.defn(name="undo")
    async def undo(self, given: StepInput) -> UndoResult:
        async with self._steps.open(StepName.UNDO, given, last=True) as step:
            async with self._steps.locked(step.release):
                live = await self._undo.is_live(step.release)
                if live:
                    step.detail = "it is live, and stays"
                else:
                    await self._undo.revert(step)
            step.log(f"undone: {step.detail}")
            return UndoResult(step.detail, live=live)
