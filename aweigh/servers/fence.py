"""The fence: an older deployment never replaces a newer one, whatever asks for it."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aweigh.core import grammar
from aweigh.core.errors import StepFailed
from aweigh.core.files import write_durably
from aweigh.deployments.deployment import Reason
from aweigh.routing.route import Generation


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The highest sequence that has begun on this server; kept after a removal."""

    highest: int = 0
    #: Whose sequence that is: a database restored from a backup gives it to another one again.
    deployment: str = ""
    removed: bool = False
    #: The last one whose switch succeeded: from there on nothing takes it back.
    verified: int = 0

    def admits(self, deployment: str) -> bool:
        """Whether a deployment with the highest sequence is the one that has it."""
        return not self.removed and self.deployment in ("", deployment)


class Fence:
    """One mark a file per application. Called under the application's lock."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def mark(self, application_id: str) -> Mark:
        path = self._path(application_id)
        return Mark(**json.loads(path.read_text())) if path.exists() else Mark()

    def pass_through(
        self, application_id: str, sequence: int, deployment: str, live: Generation | None = None
    ) -> None:
        """Let a deployment through, and close the fence behind it; `live` is the committed one.

        Raises:
            StepFailed: `superseded`: a newer one has begun, or the application is removed.
        """
        mark = self.mark(application_id)
        if live and live.sequence >= mark.highest:
            mark = replace(mark, highest=live.sequence, deployment=live.deployment)
        if sequence < mark.highest or (sequence == mark.highest and not mark.admits(deployment)):
            what = "the removal of the application" if mark.removed else "another deployment"
            raise StepFailed(
                Reason.SUPERSEDED,
                f"Sequence {sequence} comes too late: {mark.highest}, {what}, has begun on this "
                "server.",
            )
        mine = Mark(highest=sequence, deployment=deployment, verified=mark.verified)
        if mine != mark:
            self._write(application_id, mine)

    def verify(self, application_id: str, sequence: int) -> None:
        """The point of no return: this sequence is live, and was seen to answer."""
        mark = self.mark(application_id)
        if mark.verified != sequence:
            self._write(application_id, replace(mark, verified=sequence))

    def close(self, application_id: str, sequence: int) -> None:
        """Leave a tombstone: nothing up to this sequence, or any that has begun, comes back."""
        highest = max(sequence, self.mark(application_id).highest)
        self._write(application_id, Mark(highest=highest, removed=True))

    def _write(self, application_id: str, mark: Mark) -> None:
        write_durably(self._path(application_id), json.dumps(asdict(mark)))

    def _path(self, application_id: str) -> Path:
        return self._directory / f"{grammar.path_part(application_id)}.json"
