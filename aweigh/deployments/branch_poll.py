"""Looks at the branch an application follows: they find pushes whose delivery never came."""

from typing import Self

from pydantic import BaseModel

from aweigh.deployments.source import GitSource


class Look(BaseModel):
    """What looks have made of a branch so far."""

    repository: str
    branch: str
    #: The last head that needs no deployment (any more): where the first look found the branch,
    #: what was deployed since, or what the settings or its own message leave out.
    settled: str
    #: The head that a look deployed: a delivery that tells of it later makes no second deployment.
    taken: str | None = None

    @classmethod
    def read(cls, text: str | None, source: GitSource) -> Self | None:
        """None where no look has been at this branch of this repository."""
        look = cls.model_validate_json(text) if text else None
        return look if look and look.is_at(source) else None

    @classmethod
    def first(cls, source: GitSource, head: str) -> Self:
        return cls(repository=source.repository, branch=source.branch, settled=head)

    def at(self, head: str, *, taken: str | None = None) -> Self:
        """The same, once nothing is left to be deployed at this head."""
        return self.model_copy(update={"settled": head, "taken": taken})

    def is_at(self, source: GitSource) -> bool:
        return (self.repository, self.branch) == (source.repository, source.branch)
