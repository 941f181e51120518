"""What the API and a server worker say to each other, over HTTP with the worker's own token."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from aweigh.core.model import Text
from aweigh.deployments.deployment import DeploymentState, StepState
from aweigh.deployments.release import Image
from aweigh.deployments.source import GitSource
from aweigh.github.push import CommitId

#: Says which of possibly several claimants of a server's name is asking.
IDENTITY_HEADER: Final = "X-Aweigh-Identity"
#: Tells a clone of a claimant's machine, which has the same identity, from itself.
BOOT_HEADER: Final = "X-Aweigh-Boot"
#: Seconds after which a server's name may be taken by another identity.
LEASE_SECONDS: Final = 30
#: A server cannot lift the counter so far that nothing more can be deployed.
HIGHEST_SEQUENCE: Final = 1_000_000_000


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class StepReport(Message):
    """Where one step of a deployment stands; later reports of a step replace earlier ones."""

    state: StepState
    run_id: Text
    attempt: int
    #: By the worker's clock: reports may arrive late.
    started_at: datetime | None = None
    finished_at: datetime | None = None
    detail: Text = ""
    #: Facts found by the step that pins the release's image.
    image: Image | None = None
    #: The commit that is built, found by the step that first looks at the repository.
    commit: Text | None = None


class Fence(Message):
    """The highest sequence a server has seen of a deployment's application."""

    highest: Annotated[int, Field(ge=0, le=HIGHEST_SEQUENCE)]


class Removal(Message):
    """An application that is to be taken off a server, ordered like a deployment."""

    application: str
    slug: str
    sequence: int
    volumes: bool


class Findings(Message):
    """What a server says is live on it, found for one run of the reconciler."""

    run_id: Text
    #: The deployments whose committed file stands on the server, and that answer.
    live: tuple[Text, ...] = ()
    #: Those whose file stands there while the proxy is silent: nobody can tell whether they answer.
    unsure: tuple[Text, ...] = ()
    #: Those whose switch succeeded: live, whether or not they answer just now.
    verified: tuple[Text, ...] = ()
    #: What could not be looked at, for people.
    skipped: tuple[Text, ...] = ()

    def is_live(self, deployment_id: str) -> bool | None:
        """None where that cannot be told."""
        if deployment_id in self.verified:
            return True
        return None if deployment_id in self.unsure else deployment_id in self.live


class Lifted(Message):
    """The deployment that takes the place of one whose sequence was too low; none: it was not."""

    deployment: str | None


class LogLength(Message):
    """How many bytes of a deployment's log the API has."""

    length: int


class Lease(Message):
    """A server worker asks for, or renews, its server's name.

    `boot` tells a restarted worker on the same machine, which may take over at once, from a
    cloned one, which may not.
    """

    identity: Text
    boot: Text
    worker_version: Text
    engine_version: Text = ""


class RepositoryToken(Message):
    """What opens a deployment's repository, for a short time."""

    token: str


class PolledApplications(Message):
    """The applications whose branches are polled."""

    applications: tuple[str, ...]


class Branch(Message):
    """What a poll of an application's branch needs."""

    source: GitSource
    #: The application's highest: the head that was found is valid until another is given.
    sequence: int
    #: Heads at which there is nothing to do.
    known: tuple[str, ...]
    #: What a new head is compared with, for the paths it changes.
    before: str | None
    #: The time of this answer: a head that is found then is not older.
    asked_at: datetime | None = None


class Head(Message):
    """The head of a polled branch, and the paths it changes; None: they are unknown."""

    repository: Text
    branch: Text
    sequence: int
    before: Text | None
    commit: CommitId
    #: Whether its message asks for no deployment.
    skips: bool = False
    paths: tuple[Text, ...] | None = None
    #: The time of the answer that the poll began with.
    asked_at: datetime | None = None


class PollOutcome(Message):
    """The outcome of a found head: a deployment, or why there is none."""

    deployment: str | None
    why_ignored: str | None


class KnownDeployment(Message):
    id: str
    sequence: int
    state: DeploymentState


class KnownApplication(Message):
    """What the database knows of an application on this server."""

    id: str
    slug: str
    live: str | None
    highest_sequence: int
    #: Sequences whose images stay: the last releases and everything in flight.
    keep: Annotated[tuple[int, ...], Field(default=())]
    #: Those in flight, the live one, and the newest.
    deployments: tuple[KnownDeployment, ...] = ()
    #: What stands below this and is not listed has ended.
    ended_below: int = 0
    removed: bool = False

    @property
    def in_flight(self) -> bool:
        return any(not one.state.ended for one in self.deployments)

    def state_of(self, sequence: int) -> DeploymentState | None:
        """None for a sequence that is not listed."""
        return next((one.state for one in self.deployments if one.sequence == sequence), None)

    @property
    def live_deployment(self) -> KnownDeployment | None:
        return next((one for one in self.deployments if one.id == self.live), None)

    def has_ended(self, sequence: int) -> bool:
        """False for a sequence that the database does not know."""
        state = self.state_of(sequence)
        return 0 < sequence < self.ended_below if state is None else state.ended


class Inventory(Message):
    """What the database expects on one server, for the reconciler; or of one application there.

    An application that was removed is told of only when it is asked for.
    """

    instance: str
    applications: tuple[KnownApplication, ...]
    #: Applications whose rows cannot be read, with their newest deployments: left alone.
    skipped: dict[str, tuple[str, ...]] = {}

    @property
    def left_alone(self) -> set[str]:
        """Deployments of which nobody can tell how they stand."""
        return {one for deployments in self.skipped.values() for one in deployments}
