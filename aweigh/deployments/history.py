"""The history of an application: which of its deployments must stay, and which may be deleted."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from aweigh.deployments.application import KeepDeployments
from aweigh.deployments.deployment import DeploymentState


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One deployment in the history of its application."""

    id: str
    sequence: int
    state: DeploymentState
    #: The id of its release, which retries and rollbacks share.
    release: str
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What depends on the deployments of an application."""

    live: HistoryEntry | None = None
    #: Those that succeeded last: the server keeps their images for rollbacks.
    kept: tuple[HistoryEntry, ...] = ()
    opened: tuple[HistoryEntry, ...] = ()
    #: Ids of deployments that the server reports as live, whatever their records say.
    reported: Collection[str] = ()

    def reason_to_keep(self, one: HistoryEntry) -> str | None:
        """Return why an ended deployment cannot be deleted, None if it can."""
        if self.live and one.id == self.live.id:
            return "it is live"
        if one.state is DeploymentState.FAILED and one.id in self.reported:
            return "its server reports it as live; the record is corrected within minutes"
        for other in self.opened:
            if other.release == one.release:
                return f"{other.id}, which has not ended, deploys its release again"
        if [way.id for way in self._ways_back] == [one.id]:
            return "it is the only deployment that the application can be rolled back to"
        return None

    @property
    def _ways_back(self) -> list[HistoryEntry]:
        live = self.live.release if self.live else None
        return [one for one in self.kept if one.release != live]

    def without(self, deleted: HistoryEntry) -> Self:
        return replace(self, kept=tuple(one for one in self.kept if one.id != deleted.id))


def expired(
    oldest: Sequence[HistoryEntry], total: int, keep: KeepDeployments, now: datetime
) -> list[HistoryEntry]:
    """Return those that the policy does not keep; `oldest` are the first of `total` by sequence."""
    before = now - timedelta(days=keep.days)
    return [
        one
        for place, one in enumerate(oldest)
        if one.finished_at and (total - place > keep.count or one.finished_at < before)
    ]


def deletable(needs: Needs, wanted: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Return which of these can go together: the newest way back stays if all ways are wanted."""
    found = []
    for one in sorted(wanted, key=lambda entry: entry.sequence):
        if one.state.ended and needs.reason_to_keep(one) is None:
            found.append(one)
            needs = needs.without(one)
    return found
