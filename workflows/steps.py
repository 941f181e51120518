"""The steps of a deployment: the activity, budget and task queue of each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from temporalio import workflow
from temporalio.types import MethodAsyncSingleParam
from temporalio.workflow import ActivityCancellationType

from activities.build import BuildActivity
from activities.create import CreateActivity
from activities.drain import DrainActivity
from activities.fetch import FetchActivity
from activities.health import HealthActivity
from activities.inputs import StepInput, StepResult
from activities.preflight import PreflightActivity
from activities.pull import PullActivity
from activities.release_command import ReleaseActivity
from activities.remove import RemoveActivity
from activities.sweep import SweepActivity
from activities.switch import SwitchActivity
from activities.undo import UndoActivity
from aweigh.deployments.deployment import StepName
from workflows import policies
from workflows.names import build_queue, pull_queue, steps_queue, waits_queue
from workflows.policies import Budget

Result = TypeVar("Result", bound=StepResult)


@dataclass(frozen=True)
class Step(Generic[Result]):
    name: StepName
    activity: MethodAsyncSingleParam[Any, StepInput, Result]
    budget: Budget
    queue: Callable[[str], str] = steps_queue


PREFLIGHT: Final = Step(StepName.PREFLIGHT, PreflightActivity.preflight, policies.PREFLIGHT)
FETCH: Final = Step(StepName.FETCH, FetchActivity.fetch, policies.PULL, pull_queue)
BUILD: Final = Step(StepName.BUILD, BuildActivity.build, policies.BUILD, build_queue)
PULL: Final = Step(StepName.PULL, PullActivity.pull, policies.PULL, pull_queue)
RELEASE: Final = Step(StepName.RELEASE, ReleaseActivity.release, policies.RELEASE)
CREATE: Final = Step(StepName.CREATE, CreateActivity.create, policies.CREATE)
HEALTH: Final = Step(StepName.HEALTH, HealthActivity.health, policies.HEALTH, waits_queue)
SWITCH: Final = Step(StepName.SWITCH, SwitchActivity.switch, policies.SWITCH)
DRAIN: Final = Step(StepName.DRAIN, DrainActivity.drain, policies.DRAIN, waits_queue)
REMOVE: Final = Step(StepName.REMOVE, RemoveActivity.remove, policies.REMOVE)
SWEEP: Final = Step(StepName.SWEEP, SweepActivity.sweep, policies.SWEEP)
UNDO: Final = Step(StepName.UNDO, UndoActivity.undo, policies.UNDO)


class StepRunner:
    """Runs the steps of one deployment on its server."""

    def __init__(self, deployment: StepInput, slug: str, server: str) -> None:
        self._deployment = deployment
        self._title = f"{slug} #{deployment.sequence}"
        self._server = server
        self._runs: Counter[StepName] = Counter()

    async def run(self, step: Step[Result]) -> Result:
        """Run the step; a repeated one has a number behind its activity id."""
        self._runs[step.name] += 1
        repeated = self._runs[step.name] > 1
        activity_id = f"{step.name}-{self._runs[step.name]}" if repeated else f"{step.name}"
        return await workflow.execute_activity_method(
            step.activity,
            self._deployment,
            activity_id=activity_id,  # typed by operators in `temporal activity reset`
            task_queue=step.queue(self._server),
            heartbeat_timeout=policies.HEARTBEAT_TIMEOUT,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"{activity_id} {self._title}",
            **step.budget.options(),
        )
