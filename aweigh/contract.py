"""The messages between the API and a server worker, over HTTP with the worker's own token."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from aweigh.core.model import Text
from aweigh.deployments.deployment import DeploymentState, StepState
from aweigh.deployments.release import Image
from aweigh.deployments.source import GitSource
from aweigh.github.push import CommitId

#: Identifies the worker among several that claim the same server name.
IDENTITY_HEADER: Final = "X-Aweigh-Identity"
#: Distinguishes a machine from its clone, which has the same identity.
BOOT_HEADER: Final = "X-Aweigh-Boot"
#: Seconds after which another identity may take a server's name.
LEASE_SECONDS: Final = 30
#: Prevents a server from raising the counter so far that nothing more can be deployed.
HIGHEST_SEQUENCE: Final = 1_000_000_000


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class StepReport(Message):
    """The state of one step of a deployment; a later report of a step replaces earlier ones."""

    state: StepState
    run_id: Text
    attempt: int
    #: By the worker's clock: reports may arrive late.
    started_at: datetime | None = None
    finished_at: datetime | None = None
    detail: Text = ""
    #: Facts found by the step that pins the release's image.
    image: Image | None = None
    #: The commit to build, found by the first step that reads the repository.
    commit: Text | None = None
    #: The first line of its message, found by the step that fetches it.
    commit_subject: Text | None = None


class HighestSequence(Message):
    """The highest sequence a server has seen of a deployment's application."""

    highest: Annotated[int, Field(ge=0, le=HIGHEST_SEQUENCE)]


class Removal(Message):
    """An application to remove from a server, ordered like a deployment."""

    application: str
    slug: str
    sequence: int
    volumes: bool


class Findings(Message):
    """A server's report of what is live on it, for one run of the reconciler."""

    run_id: Text
    #: Deployments that have a live route file on the server, and answer.
    live: tuple[Text, ...] = ()
    #: Deployments with a live route file that cannot be checked, because the proxy does not answer.
    unsure: tuple[Text, ...] = ()
    #: Deployments whose switch succeeded: live, whether or not they answer now.
    verified: tuple[Text, ...] = ()
    #: What could not be checked, described for people.
    skipped: tuple[Text, ...] = ()

    def is_live(self, deployment_id: str) -> bool | None:
        """Whether a deployment is live; None if that is unknown."""
        if deployment_id in self.verified:
            return True
        return None if deployment_id in self.unsure else deployment_id in self.live


class Replacement(Message):
    """The deployment that replaces one whose sequence was too low; None if there is none."""

    deployment: str | None


class LogLength(Message):
    """How many bytes of a deployment's log the API has."""

    length: int


class Lease(Message):
    """A server worker's request to take or renew its server's name.

    `boot` distinguishes a restarted worker on the same machine, which may take over at once, from a
    cloned one, which may not.
    """

    identity: Text
    boot: Text
    worker_version: Text
    engine_version: Text = ""


class RepositoryToken(Message):
    """A short-lived token for a deployment's repository."""

    token: str


class PolledApplications(Message):
    """The applications whose branches are polled."""

    applications: tuple[str, ...]


class PolledBranch(Message):
    """The data needed to poll an application's branch."""

    source: GitSource
    #: The application's highest sequence; the poll's result is valid until a higher one is
    #: assigned.
    sequence: int
    #: Commits of the branch that need no deployment.
    known: tuple[str, ...]
    #: The commit with which a new head is compared to find changed paths.
    before: str | None
    #: The time of this answer; a head that the poll finds is at least as new.
    asked_at: datetime | None = None


class BranchHead(Message):
    """The head of a polled branch and its changed paths, which are None if unknown."""

    repository: Text
    branch: Text
    sequence: int
    before: Text | None
    commit: CommitId
    #: The first line of its message.
    subject: Text | None = None
    #: Whether the commit message asks for no deployment.
    skips: bool = False
    paths: tuple[Text, ...] | None = None
    #: The time of the answer with which the poll began.
    asked_at: datetime | None = None


class PollOutcome(Message):
    """The outcome of a reported head: a deployment, or why there is none."""

    deployment: str | None
    why_ignored: str | None


class KnownDeployment(Message):
    id: str
    sequence: int
    state: DeploymentState


class KnownApplication(Message):
    """The database's record of an application on this server."""

    id: str
    slug: str
    live: str | None
    highest_sequence: int
    #: Sequences whose images are kept: the last releases and everything in flight.
    keep: tuple[int, ...] = ()
    #: Deployments in flight, the live one, and the newest.
    deployments: tuple[KnownDeployment, ...] = ()
    #: Unlisted deployments with lower sequences have ended; their records may be deleted.
    ended_below: int = 0
    removed: bool = False

    @property
    def in_flight(self) -> bool:
        return any(not one.state.ended for one in self.deployments)

    def state_of(self, sequence: int) -> DeploymentState | None:
        """Return the state of a deployment; None if it is not listed."""
        return next((one.state for one in self.deployments if one.sequence == sequence), None)

    @property
    def live_deployment(self) -> KnownDeployment | None:
        return next((one for one in self.deployments if one.id == self.live), None)

    def has_ended(self, sequence: int) -> bool:
        """Whether a deployment has ended; False if the database does not know it."""
        state = self.state_of(sequence)
        return 0 < sequence < self.ended_below if state is None else state.ended


class Inventory(Message):
    """What the database expects on one server, or of one application there, for the reconciler.

    Removed applications are included only in answers about one application.
    """

    instance: str
    applications: tuple[KnownApplication, ...]
    #: Applications whose rows cannot be read, with their newest deployments; left alone.
    skipped: dict[str, tuple[str, ...]] = {}

    @property
    def left_alone(self) -> set[str]:
        """Deployments whose state is unknown."""
        return {one for deployments in self.skipped.values() for one in deployments}
