"""What a lane and its children say to each other."""

from contextlib import suppress
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError


@dataclass(frozen=True)
class Adoption:
    """A lane that is not the child's parent waits for its end."""

    lane: str


@dataclass(frozen=True)
class ChildEnd:
    """The workflow of a child that has ended."""

    child: str


class LaneChild:
    """A workflow that waits for its turn, and tells the lane of its end where Temporal does not."""

    def __init__(self, *, may_proceed: bool) -> None:
        self._may_proceed = may_proceed
        self._lane: str | None = None

    @workflow.signal
    def proceed(self) -> None:
        """The lane says that nothing older is in the way."""
        self._may_proceed = True

    @workflow.signal
    def adopted(self, adoption: Adoption) -> None:
        """The run of the lane that started this has ended, or is about to."""
        self._lane = adoption.lane

    async def _turn(self) -> None:
        """Wait until the lane lets this one proceed."""
        await workflow.wait_condition(lambda: self._may_proceed)

    async def _tell_lane(self) -> None:
        """Tell a lane that adopted this one that it has ended; one that has closed needs not."""
        if self._lane:
            lane = workflow.get_external_workflow_handle(self._lane)
            with suppress(FailureError):
                await lane.signal("child_ended", ChildEnd(workflow.info().workflow_id))
