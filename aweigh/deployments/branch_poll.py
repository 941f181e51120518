"""The state of branch polls, which find pushes whose delivery never arrived."""

from typing import Final, Self

from pydantic import BaseModel

from aweigh.deployments.source import GitSource

#: Deleted commits that are remembered, the last ones; the branch is at one of them at most.
_MOST: Final = 100


class BranchPoll(BaseModel):
    repository: str
    branch: str
    #: The last head that needs no deployment: the one found by the first poll, a commit deployed
    #: since, or one excluded by the settings or its own message.
    settled: str
    #: The head that a poll deployed; a late delivery of it creates no second deployment.
    deployed: str | None = None
    #: Of the deployments by a push or a poll whose records were deleted, the newest's sequence.
    followed: int = 0
    #: Commits that were deployed since, and whose records were deleted: they need no deployment.
    deleted: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str | None, source: GitSource) -> Self | None:
        """Return None if this branch of this repository was never polled."""
        poll = cls.model_validate_json(text) if text else None
        return poll if poll and poll._is_of(source) else None

    @classmethod
    def first(cls, source: GitSource, head: str) -> Self:
        return cls(repository=source.repository, branch=source.branch, settled=head)

    def settle(self, head: str, *, deployed: str | None = None) -> Self:
        """Return the poll with nothing left to deploy at this head."""
        return self.model_copy(update={"settled": head, "deployed": deployed, "deleted": ()})

    def without_record(self, commit: str | None, followed: int) -> Self:
        """Return the poll after a deletion: the branch must not be deployed again because of it."""
        others = [one for one in self.deleted if one != commit]
        deleted = [*others, commit] if commit else others
        return self.model_copy(update={"followed": followed, "deleted": tuple(deleted[-_MOST:])})

    def _is_of(self, source: GitSource) -> bool:
        return (self.repository, self.branch) == (source.repository, source.branch)
