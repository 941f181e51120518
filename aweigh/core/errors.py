"""The errors of Aweigh: one class for each case that callers handle differently."""

from typing import Final


class AweighError(Exception):
    """Unexpected error in Aweigh."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


#: Errors from reading a row, file, label or answer that is damaged. Code that goes through many
#: independent subjects catches them, so that one does not stop the others.
BAD_DATA: Final = (
    AweighError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError,
)  # fmt: skip


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
