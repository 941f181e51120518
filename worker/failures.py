"""Limits what errors of a worker's code write into a Temporal history: a single sentence."""

from collections.abc import Callable
from typing import Any, Final

from temporalio import activity
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError, FailureError, TemporalError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.errors import application_error
from aweigh.deployments.deployment import Reason

#: A limit, because the class names of errors are arbitrary.
_LONGEST_NAME: Final = 100


class PlainFailureConverter(DefaultFailureConverter):
    """Leaves out stack traces, which contain this machine's paths, and causes of errors.

    An unexpected error is represented by its class: its text may repeat any value.
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
    # Temporal's own errors about a workflow's code contain the only information.
    text = f": {exception}" if isinstance(exception, TemporalError) else ""
    return ApplicationError(
        f"Unexpected {kind}{text or '; see the log of the worker for details.'}",
        type=Reason.INTERNAL,
    )


def _strip(failure: Failure) -> None:
    failure.stack_trace = ""
    if failure.HasField("application_failure_info"):
        failure.ClearField("cause")
    elif failure.HasField("cause"):
        _strip(failure.cause)


class PlainErrors(Interceptor):
    """Converts the errors of all activities of a worker, masking the known `secrets`."""

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
        except Exception as error:  # noqa: BLE001 (errors from here end up in a history)
            secrets = self._secrets() if self._secrets else None
            raise application_error(error, activity.info().activity_type, secrets) from None
