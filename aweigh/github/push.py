"""A push, as GitHub tells of it, and what an application makes of it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr

from aweigh.builds.source.repository import is_ref, repository_key
from aweigh.deployments.source import GitSource
from aweigh.github.skip import asks_to_skip

_BRANCH: Final = "refs/heads/"
_TAG: Final = "refs/tags/"
#: So many commits does one payload name at most; of a longer push, not every path is known.
_MOST_COMMITS: Final = 2048

CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class Commit(BaseModel):
    id: CommitId | None = None
    message: str = ""
    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def _address(url: str) -> str:
    repository_key(url)  # of an address that is none there is no key
    return url


class Repository(BaseModel):
    clone_url: Annotated[str, AfterValidator(_address)]
    #: What stays when it is renamed.
    id: int | None = None
    #: GitHub's own clock, by which pushes are ordered.
    pushed_at: datetime | None = None

    @property
    def key(self) -> str:
        return repository_key(self.clone_url)

    @property
    def identity(self) -> str | None:
        """Its id with its host, where there may be others with ids of their own."""
        return None if self.id is None else f"{self.key.partition('/')[0]}#{self.id}"


class Pusher(BaseModel):
    name: str = ""


class Installed(BaseModel):
    id: int


class Event(BaseModel):
    """What every event of a repository has."""

    repository: Repository
    #: Of a GitHub App, in its own deliveries.
    installation: Installed | None = None


class Push(Event):
    ref: str
    before: CommitId
    after: CommitId
    deleted: bool = False
    forced: bool = False
    commits: tuple[Commit, ...] = ()
    head_commit: Commit | None = None
    pusher: Pusher = Pusher()
    _touches: dict[tuple[str, ...], bool] = PrivateAttr(default_factory=dict)
    _skips: bool = False

    def model_post_init(self, context: Any) -> None:
        # Now, while it is parsed in a thread: a message may have megabytes.
        self._skips = self.head_commit is not None and asks_to_skip(self.head_commit.message)

    @property
    def skips(self) -> bool:
        """Whether its head asks for no deployment."""
        return self._skips

    @property
    def tag(self) -> str | None:
        """The name of the tag that was pushed, if it was one."""
        return self.ref.removeprefix(_TAG) if self.ref.startswith(_TAG) else None

    @property
    def commit(self) -> str:
        """What is built; the `after` of an annotated tag is the tag itself."""
        told = self.head_commit.id if self.head_commit and self.tag is not None else None
        return told or self.after

    @property
    def paths(self) -> frozenset[str] | None:
        """Every path it changes; None where that is not known."""
        if self.forced or not self.commits or len(self.commits) >= _MOST_COMMITS:
            return None
        return frozenset(
            path for one in self.commits for path in (*one.added, *one.modified, *one.removed)
        )

    def touches(self, patterns: tuple[str, ...]) -> bool:
        """Whether it changes anything that one of the patterns names, as far as is known.

        Kept: a push may change hundreds of thousands of files, and is asked within a transaction.
        """
        if patterns not in self._touches:
            paths = self.paths
            self._touches[patterns] = paths is None or any(
                _matches(path, pattern) for path in paths for pattern in patterns
            )
        return self._touches[patterns]


class Newest(BaseModel):
    """The newest push an application has taken."""

    pushed_at: datetime
    before: str
    after: str

    @classmethod
    def of(cls, push: Push, now: datetime) -> "Newest":
        at = push.repository.pushed_at or now
        return cls(pushed_at=at, before=push.before, after=push.commit)


def why_ignored(push: Push, source: GitSource, newest: Newest | None, *, skips: bool) -> str | None:
    """Why a push makes no deployment; None where it makes one.

    A tag is deployed whatever its commit says: tools that make releases write `[skip ci]` there.
    """
    if why := _why_not_followed(push, source):
        return why
    if skips and push.tag is None:
        return "the commit's message asks for it"
    if not _concerns(push, source):
        return "it changes nothing below the application's paths"
    if newest is None:
        return None
    if push.tag is not None and push.commit == newest.after:
        return "this commit is deployed already"
    return "a newer push was taken already" if _is_older(push, newest) else None


def _why_not_followed(push: Push, source: GitSource) -> str | None:
    if push.tag is not None:
        if push.deleted:
            return "the tag was deleted"
        if not any(fnmatchcase(push.tag, pattern) for pattern in source.tags):
            return f"none of the application's `tags` matches {push.tag}"
        return None if is_ref(push.tag) else f"{push.tag} is longer than 250 characters"
    if not push.ref.startswith(_BRANCH):
        return f"{push.ref} is neither a branch nor a tag"
    if push.ref.removeprefix(_BRANCH) != source.branch:
        return f"the application follows {source.branch}"
    if push.deleted:
        return "the branch was deleted"
    return None if source.auto_deploy else "auto_deploy is off"


def _concerns(push: Push, source: GitSource) -> bool:
    return not source.paths or push.tag is not None or push.touches(source.paths)


def _matches(path: str, pattern: str) -> bool:
    """A pattern is a directory, or one of a shell's, whose `*` crosses directories."""
    return path.startswith(pattern.rstrip("/") + "/") or fnmatchcase(path, pattern)


def _is_older(push: Push, newest: Newest) -> bool:
    at = push.repository.pushed_at
    if push.tag is not None:  # on whichever commit: it is wanted because it was pushed
        return at is not None and at < newest.pushed_at
    if at is None or at == newest.pushed_at:  # within one second: the chain of commits tells
        follows = push.before == newest.after  # also where a force-push goes back to `before`
        return not follows and push.commit in (newest.before, newest.after)
    return at < newest.pushed_at
