"""What the reconciler has seen on a server, each subject by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from aweigh.contract import Findings
from aweigh.core.errors import BAD_DATA, Unavailable

if TYPE_CHECKING:
    from aweigh.routing.route_files import Commit

_log = structlog.get_logger(__name__)


@dataclass
class Seen:
    """Deployments that are live, or of which that cannot be told, and what was skipped."""

    skipped: list[str] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    verified: set[str] = field(default_factory=set)

    @contextmanager
    def apart(self, subject: str) -> Iterator[None]:
        """What is wrong with one subject keeps no other from its turn; it is reported."""
        try:
            yield
        except Unavailable:  # for all of them
            raise
        except BAD_DATA as error:
            _log.error("cannot be put right", subject=subject, error=repr(error))
            self.skipped.append(subject)

    def tell(self, commit: Commit, answers: bool | None, *, verified: bool) -> None:
        """Take down what stands in a committed file, and whether it answers."""
        deployment = commit.generation.deployment
        if answers is not False:
            (self.live if answers else self.unsure).add(deployment)
        if verified:
            self.verified.add(deployment)

    def findings(self, run_id: str) -> Findings:
        return Findings(
            run_id=run_id,
            live=tuple(sorted(self.live)),
            unsure=tuple(sorted(self.unsure)),
            verified=tuple(sorted(self.verified)),
            skipped=tuple(self.skipped),
        )
