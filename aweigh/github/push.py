"""A push, as GitHub describes it, and whether an application deploys it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr

from aweigh.core.text import subject_of
from aweigh.deployments.repository import is_ref, repository_key
from aweigh.deployments.source import GitSource
from aweigh.github.skip import asks_to_skip

_BRANCH: Final = "refs/heads/"
_TAG: Final = "refs/tags/"
#: The most commits in one payload: not all paths of a longer push are known.
_MOST_COMMITS: Final = 2048

CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class Commit(BaseModel):
    id: CommitId | None = None
    message: str = ""
    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def _address(url: str) -> str:
    repository_key(url)  # raises for an invalid address
    return url


class Repository(BaseModel):
    clone_url: Annotated[str, AfterValidator(_address)]
    #: Stays the same when the repository is renamed.
    id: int | None = None
    #: By GitHub's clock, which orders pushes.
    pushed_at: datetime | None = None

    @property
    def key(self) -> str:
        return repository_key(self.clone_url)

    @property
    def identity(self) -> str | None:
        """Its id with its host: ids are unique within one host."""
        return None if self.id is None else f"{self.key.partition('/')[0]}#{self.id}"


class Pusher(BaseModel):
    name: str = ""


class Installed(BaseModel):
    id: int


class RepositoryEvent(BaseModel):
    """The fields of every event of a repository."""

    repository: Repository
    #: The App's installation, in deliveries of the App.
    installation: Installed | None = None


class Push(RepositoryEvent):
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
    _subject: str | None = None

    def model_post_init(self, context: Any) -> None:
        # Computed while it is parsed in a thread: a message may have megabytes.
        if self.head_commit is not None:
            self._skips = asks_to_skip(self.head_commit.message)
            self._subject = subject_of(self.head_commit.message) or None

    @property
    def skips(self) -> bool:
        """Whether the message of its head commit asks for no deployment."""
        return self._skips

    @property
    def subject(self) -> str | None:
        """The first line of its head commit's message."""
        return self._subject

    @property
    def tag(self) -> str | None:
        """The name of the tag that was pushed, if it was one."""
        return self.ref.removeprefix(_TAG) if self.ref.startswith(_TAG) else None

    @property
    def commit(self) -> str:
        """The commit to build; the `after` of an annotated tag is the tag's own object."""
        tagged = self.head_commit.id if self.head_commit and self.tag is not None else None
        return tagged or self.after

    @property
    def paths(self) -> frozenset[str] | None:
        """All changed paths; None if they are unknown."""
        if self.forced or not self.commits or len(self.commits) >= _MOST_COMMITS:
            return None
        return frozenset(
            path for one in self.commits for path in (*one.added, *one.modified, *one.removed)
        )

    def touches(self, patterns: tuple[str, ...]) -> bool:
        """Whether it changes, or may change, a path that matches one of the patterns.

        Cached: a push may change hundreds of thousands of files, and a transaction asks again.
        """
        if patterns not in self._touches:
            paths = self.paths
            self._touches[patterns] = paths is None or any(
                _matches(path, pattern) for path in paths for pattern in patterns
            )
        return self._touches[patterns]


class NewestPush(BaseModel):
    """The newest push that an application has deployed."""

    pushed_at: datetime
    before: str
    after: str

    @classmethod
    def of(cls, push: Push, now: datetime) -> "NewestPush":
        at = push.repository.pushed_at or now
        return cls(pushed_at=at, before=push.before, after=push.commit)


def why_ignored(
    push: Push, source: GitSource, newest: NewestPush | None, *, skips: bool
) -> str | None:
    """Return why a push is not deployed; None if it is.

    A tag is deployed whatever its commit's message says: release tools write `[skip ci]` there.
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
    """A pattern is a directory, or a shell pattern whose `*` matches across directories."""
    return path.startswith(pattern.rstrip("/") + "/") or fnmatchcase(path, pattern)


def _is_older(push: Push, newest: NewestPush) -> bool:
    at = push.repository.pushed_at
    if push.tag is not None:  # a pushed tag is deployed, whatever its commit
        return at is not None and at < newest.pushed_at
    if at is None or at == newest.pushed_at:  # within one second, the chain of commits decides
        follows = push.before == newest.after  # also where a force-push goes back to `before`
        return not follows and push.commit in (newest.before, newest.after)
    return at < newest.pushed_at
