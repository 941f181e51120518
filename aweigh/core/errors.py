"""The errors of Aweigh: one class for each kind that a caller handles differently."""

from typing import ClassVar, Final

from aweigh.deployments.deployment import Reason


class AweighError(Exception):
    """Something unexpected happened in Aweigh."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


#: Errors from reading a row, file, label or answer that is damaged. Code that goes through many
#: independent subjects catches them, so that one does not stop the others.
BAD_DATA: Final = (
    AweighError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError,
)  # fmt: skip


class StepError(AweighError):
    """A step of a deployment could not be done."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class StepFailed(StepError):
    """The step cannot succeed as asked: the deployment ends here, with this reason."""


class Gone(StepFailed):
    """What an earlier step made is gone: the workflow goes back there, and this step makes none.

    Each step has the time, and waits for the slot, that its own work needs.
    """

    kind: ClassVar[str]


class ImageGone(Gone):
    """The release's image is not on the server: it is pulled or built again."""

    kind = "image_gone"

    def __init__(self, reference: str) -> None:
        super().__init__(
            Reason.IMAGE_NOT_FOUND,
            f"The image {reference} is no longer on the server. Something removes images there "
            "while they are being deployed; stop it, then retry.",
        )


class GenerationGone(Gone):
    """The new containers do not all run: they are made again, and their health is asked again."""

    kind = "generation_gone"

    def __init__(self, slug: str, found: int, expected: int) -> None:
        super().__init__(
            Reason.START_FAILED,
            f"{found} of the {expected} new containers of {slug} are there. Something stops or "
            "removes them; stop it, then retry.",
        )


class ProxyImageGone(Gone):
    """The proxy, or its image, was removed since preflight, which brings it again."""

    kind = "proxy_image_gone"

    def __init__(self) -> None:
        super().__init__(
            Reason.IMAGE_NOT_FOUND,
            "The proxy and its image are no longer on the server. Something removes them there "
            "while a release is being deployed; stop it, then retry.",
        )


class StepUnavailable(StepError):
    """The world is in the way for now: the step is tried again within its budget."""


class BuildLost(StepUnavailable):
    """What was begun cannot be gone on with: the next attempt begins anew, from the caches."""


class NotFound(AweighError):
    """There is no such object."""


class Conflict(AweighError):
    """What was asked for contradicts what is there."""


class Unreadable(AweighError):
    """Something stored cannot be read: it was damaged, or sealed with a key that is not here."""


class UnknownRun(AweighError):
    """No record names this run of a deployment's workflow yet."""


class Invalid(AweighError):
    """A value breaks a rule; `field` names where it stands."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Unavailable(AweighError):
    """A part that Aweigh needs is away; the same call may succeed in a moment."""


class RateLimited(Unavailable):
    """It is asked too often; `seconds` from now it may be asked again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Refused(AweighError):
    """Somebody else's service refuses what it is asked for, and would refuse it again."""


class StartupError(AweighError):
    """A process cannot start with what it was given (exit code 3)."""


class ProxySilent(AweighError):
    """The proxy does not answer, which proves nothing about what it would say."""


class NameTaken(AweighError):
    """Another container has this name."""


class AddressTaken(AweighError):
    """Another container holds this address."""


class PullStopped(AweighError):
    """Whoever watched the pull asked it to stop."""
