"""The errors of Aweigh: one class for each case that callers handle differently."""

from typing import ClassVar, Final

from aweigh.deployments.deployment import Reason


class AweighError(Exception):
    """Unexpected error in Aweigh."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


#: Errors from reading a row, file, label or answer that is damaged. Code that goes through many
#: independent subjects catches them, so that one does not stop the others.
BAD_DATA: Final = (
    AweighError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError,
)  # fmt: skip


class StepError(AweighError):
    """A step of a deployment failed."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class StepFailed(StepError):
    """The step cannot succeed: the deployment fails with this reason."""


class Gone(StepFailed):
    """The result of an earlier step is gone: the workflow goes back to that step.

    The failing step does not restore it, because only the earlier step has the time limit and the
    slot for that work.
    """

    kind: ClassVar[str]


class ImageGone(Gone):
    """The release's image is not on the server: it must be pulled or built again."""

    kind = "image_gone"

    def __init__(self, reference: str) -> None:
        super().__init__(
            Reason.IMAGE_NOT_FOUND,
            f"The image {reference} is no longer on the server. Something removes images there "
            "while they are being deployed; stop it, then retry.",
        )


class GenerationGone(Gone):
    """Some new containers do not run: they must be created and checked again."""

    kind = "generation_gone"

    def __init__(self, slug: str, found: int, expected: int) -> None:
        super().__init__(
            Reason.START_FAILED,
            f"{found} of the {expected} new containers of {slug} are running. Another program "
            "stops or removes them; stop it, then retry.",
        )


class ProxyImageGone(Gone):
    """The proxy or its image was removed since preflight, which must get it again."""

    kind = "proxy_image_gone"

    def __init__(self) -> None:
        super().__init__(
            Reason.IMAGE_NOT_FOUND,
            "The proxy and its image are no longer on the server. Something removes them there "
            "while a release is being deployed; stop it, then retry.",
        )


class StepUnavailable(StepError):
    """The step cannot be done now: it is retried within its budget."""


class BuildLost(StepUnavailable):
    """The build cannot be continued: the next attempt starts again, from the caches."""


class NotFound(AweighError):
    """There is no such object."""


class Conflict(AweighError):
    """The request contradicts the current state."""


class Unreadable(AweighError):
    """A stored value cannot be read: it is damaged, or its key is missing."""


class UnknownRun(AweighError):
    """No record names this run of a deployment's workflow yet."""


class Invalid(AweighError):
    """A value breaks a rule; `field` is its path."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Unavailable(AweighError):
    """A service that Aweigh needs is unavailable; a retry may succeed."""


class RateLimited(Unavailable):
    """Too many requests; the next one is allowed after `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Refused(AweighError):
    """An external service rejects the request, and would reject a retry."""


class StartupError(AweighError):
    """A process cannot start with its settings or files (exit code 3)."""


class ProxySilent(AweighError):
    """The proxy does not answer, so its routes are unknown."""


class NameTaken(AweighError):
    """Another container has this name."""


class AddressTaken(AweighError):
    """Another container has this address."""


class PullStopped(AweighError):
    """The pull was stopped by its caller."""
