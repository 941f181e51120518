"""Whatever a worker's code raises, a history holds a reason and one sentence."""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from docker.errors import APIError
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from aweigh.core.errors import Conflict, NotFound, Unavailable
from worker.failures import PlainErrors
from worker.temporal import PLAIN

SECRET = "correct-horse-battery"


class Quit(BaseException):
    """Nobody's error."""


class Settings(BaseModel):
    port: int


def _validation() -> BaseException:
    try:
        Settings.model_validate({"port": SECRET})
    except ValueError as error:
        return error
    raise AssertionError


def _caused() -> BaseException:
    error = RuntimeError("could not")
    error.__cause__ = ValueError(SECRET)
    return error


def _in_the_course_of() -> BaseException:
    try:
        try:
            raise ValueError(SECRET)  # noqa: TRY301
        except ValueError:
            raise RuntimeError("could not")  # noqa: B904
    except RuntimeError as error:
        return error


KINDS: dict[str, Callable[[], BaseException]] = {
    "TypeError": lambda: TypeError(f"not a number: {SECRET}"),
    "AttributeError": lambda: AttributeError(f"no {SECRET}"),
    "RuntimeError": lambda: RuntimeError(SECRET),
    "KeyError": lambda: KeyError(SECRET),
    "ValueError": lambda: ValueError(f"{SECRET} is no number"),
    "OSError": lambda: OSError(SECRET),
    "PermissionError": lambda: PermissionError(13, "Permission denied"),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    "AssertionError": lambda: AssertionError(SECRET),
    "APIError": lambda: APIError(f"404 for {SECRET}"),
    "ConnectError": lambda: httpx2.ConnectError(f"https://user:{SECRET}@host"),
    "ExceptionGroup": lambda: ExceptionGroup(SECRET, [ValueError(SECRET)]),
    "ValidationError": _validation,
    "caused": _caused,
    "in the course of": _in_the_course_of,
    "Quit": lambda: Quit(SECRET),
    "Conflict": lambda: Conflict("held by another"),
    "NotFound": lambda: NotFound("there is no such thing"),
    "Unavailable": lambda: Unavailable("the API is away"),
}


@activity.defn(name="raise_error")
async def raise_error(kind: str) -> None:
    raise KINDS[kind]()


@workflow.defn(name="Raising")
class Raising:
    @workflow.run
    async def run(self, kind: str, says: bool) -> None:
        try:
            await workflow.execute_activity(
                raise_error, kind, start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )  # fmt: skip
        except FailureError as error:
            if says:
                raise ApplicationError("It failed.", type="internal") from error
            raise


@workflow.defn(name="Broken")
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise AttributeError(SECRET)


async def history_of(client: Client, kind: str, *, says: bool, plain: PlainErrors) -> Any:
    """The failures in the history of a workflow whose activity raised such an error."""
    queue = f"failures-{secrets.token_hex(4)}"
    async with Worker(
        client, task_queue=queue, workflows=[Raising], activities=[raise_error],
        workflow_runner=UnsandboxedWorkflowRunner(), interceptors=[plain],
    ):  # fmt: skip
        handle = await client.start_workflow(
            Raising.run, args=[kind, says], id=queue, task_queue=queue
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    return json.loads((await handle.fetch_history()).to_json())


@pytest.fixture
def client(environment: WorkflowEnvironment) -> Client:
    config = environment.client.config()
    config["data_converter"] = PLAIN
    return Client(**config)


@pytest.mark.parametrize("knows", [True, False], ids=["knows its secrets", "knows none"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_of_any_class_is_one_sentence(
    client: Client, kind: str, knows: bool
) -> None:
    plain = PlainErrors((lambda: [SECRET]) if knows else None)

    history = await history_of(client, kind, says=kind == "TypeError", plain=plain)

    text = json.dumps(history)
    assert SECRET not in text
    assert "stackTrace" not in text
    assert ".py" not in text
    assert "could not" not in text or knows
    [failed] = [
        event["activityTaskFailedEventAttributes"]["failure"] for event in history["events"]
        if "activityTaskFailedEventAttributes" in event
    ]  # fmt: skip
    assert "cause" not in failed
    assert failed["message"]
    assert "\n" not in failed["message"]
    assert failed["applicationFailureInfo"]["type"] in ("internal", "server_offline")
    ends = history["events"][-1]["workflowExecutionFailedEventAttributes"]["failure"]
    assert ("cause" in ends) == ("activityFailureInfo" in ends)


async def test_an_error_in_workflow_code_is_reported_by_its_class(client: Client) -> None:
    """It fails the workflow's task, again and again, until the code is mended."""
    queue = f"broken-{secrets.token_hex(4)}"
    async with Worker(
        client, task_queue=queue, workflows=[Broken], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await client.start_workflow(Broken.run, id=queue, task_queue=queue)
        failed: list[Any] = []
        while not failed:
            events = (await handle.fetch_history()).events
            failed = [
                one.workflow_task_failed_event_attributes.failure
                for one in events
                if one.HasField("workflow_task_failed_event_attributes")
            ]
        await handle.terminate()

    assert "AttributeError" in failed[0].message
    assert SECRET not in str(failed[0])
    assert not failed[0].stack_trace
