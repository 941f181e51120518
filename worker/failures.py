"""The last door before Temporal: whatever a worker's code raises, a history holds one sentence."""

from collections.abc import Callable
from typing import Any, Final

from temporalio import activity
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError, FailureError, TemporalError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.errors import application_error
from aweigh.deployments.deployment import Reason

#: An error's class may be named as its author likes.
_LONGEST_NAME: Final = 100


class PlainFailureConverter(DefaultFailureConverter):
    """Leaves out stack traces, which name this machine's paths, and what errors were caused by.

    An error that nobody gave a sentence is told by its class: its text may repeat any value.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        super().to_failure(_told(exception), payload_converter, failure)
        _strip(failure)


def _told(exception: BaseException) -> BaseException:
    if isinstance(exception, FailureError):
        return exception
    kind = type(exception).__name__[:_LONGEST_NAME]
    # What Temporal's own errors say of a workflow's code is all there is to go by.
    text = f": {exception}" if isinstance(exception, TemporalError) else ""
    return ApplicationError(
        f"An unexpected {kind}{text or '; the log of the worker says more.'}",
        type=Reason.INTERNAL,
    )


def _strip(failure: Failure) -> None:
    failure.stack_trace = ""
    if failure.HasField("application_failure_info"):
        failure.ClearField("cause")
    elif failure.HasField("cause"):
        _strip(failure.cause)


class PlainErrors(Interceptor):
    """Says the errors of every activity of a worker; `secrets` are those that it has in hand."""

    def __init__(self, secrets: Callable[[], list[str]] | None = None) -> None:
        self._secrets = secrets

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Inbound(next, self._secrets)


class _Inbound(ActivityInboundInterceptor):
    def __init__(
        self, following: ActivityInboundInterceptor, secrets: Callable[[], list[str]] | None
    ) -> None:
        super().__init__(following)
        self._secrets = secrets

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever leaves here stands in a history)
            secrets = self._secrets() if self._secrets else None
            raise application_error(error, activity.info().activity_type, secrets) from None
