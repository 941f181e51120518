"""The fence: an older deployment never replaces a newer one, however it was requested."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aweigh.core import grammar
from aweigh.core.files import write_durably
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.routing.route import Generation


@dataclass(frozen=True, kw_only=True)
class FenceState:
    """The highest sequence that has begun on this server; kept after a removal."""

    highest: int = 0
    #: The deployment with that sequence; a restored database may assign it to another one again.
    deployment: str = ""
    removed: bool = False
    #: The last sequence whose switch succeeded; it is never taken back.
    verified: int = 0

    def admits(self, deployment: str) -> bool:
        """Whether a deployment with the highest sequence is the one recorded for it."""
        return not self.removed and self.deployment in ("", deployment)


class Fence:
    """One file per application. Callers hold the application's lock."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def state(self, application_id: str) -> FenceState:
        path = self._path(application_id)
        return FenceState(**json.loads(path.read_text())) if path.exists() else FenceState()

    def enter(
        self, application_id: str, sequence: int, deployment: str, live: Generation | None = None
    ) -> None:
        """Admit a deployment and block all older ones; `live` is the live generation.

        Raises:
            StepFailed: `superseded`: a newer one has begun, or the application is removed.
        """
        state = self.state(application_id)
        if live and live.sequence >= state.highest:
            state = replace(state, highest=live.sequence, deployment=live.deployment)
        if sequence < state.highest or (sequence == state.highest and not state.admits(deployment)):
            what = "the removal of the application" if state.removed else "another deployment"
            raise StepFailed(
                Reason.SUPERSEDED,
                f"Sequence {sequence} is too late: {state.highest} ({what}) has begun on this "
                "server.",
            )
        mine = FenceState(highest=sequence, deployment=deployment, verified=state.verified)
        if mine != state:
            self._write(application_id, mine)

    def verify(self, application_id: str, sequence: int) -> None:
        """Record the point of no return: this sequence is live and has answered."""
        state = self.state(application_id)
        if state.verified != sequence:
            self._write(application_id, replace(state, verified=sequence))

    def close(self, application_id: str, sequence: int) -> None:
        """Leave a tombstone, which blocks this sequence and all that have begun."""
        highest = max(sequence, self.state(application_id).highest)
        self._write(application_id, FenceState(highest=highest, removed=True))

    def _write(self, application_id: str, state: FenceState) -> None:
        write_durably(self._path(application_id), json.dumps(asdict(state)))

    def _path(self, application_id: str) -> Path:
        return self._directory / f"{grammar.path_part(application_id)}.json"
