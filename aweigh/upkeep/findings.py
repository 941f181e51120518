"""Collects the findings of a server's reconciliation, while it goes through its subjects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from aweigh.contract import Findings
from aweigh.core.errors import BAD_DATA, Unavailable
from aweigh.routing.route_files import RouteFile

_log = structlog.get_logger(__name__)


@dataclass
class FindingsBuilder:
    """Deployments that are live, deployments that may be, and subjects that were skipped."""

    skipped: list[str] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    verified: set[str] = field(default_factory=set)

    @contextmanager
    def isolating(self, subject: str) -> Iterator[None]:
        """Log and report an error with one subject, and continue with the others."""
        try:
            yield
        except Unavailable:  # affects all subjects
            raise
        except BAD_DATA as error:
            _log.error("cannot be reconciled", subject=subject, error=repr(error))
            self.skipped.append(subject)

    def add(self, file: RouteFile, answers: bool | None, *, verified: bool) -> None:
        """Add the deployment in a route file, unless it does not answer."""
        deployment = file.generation.deployment
        if answers is not False:
            (self.live if answers else self.unsure).add(deployment)
        if verified:
            self.verified.add(deployment)

    def build(self, run_id: str) -> Findings:
        return Findings(
            run_id=run_id,
            live=tuple(sorted(self.live)),
            unsure=tuple(sorted(self.unsure)),
            verified=tuple(sorted(self.verified)),
            skipped=tuple(self.skipped),
        )
