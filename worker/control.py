"""`aweigh worker control`: workflows, and the activities that use the database."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.commit_status import CommitStatusActivities
from activities.comparison import ComparisonActivities
from activities.deliver import DeliveryActivities
from activities.prune import PruneActivities
from activities.record import RecordActivities
from activities.turns import TurnActivities
from aweigh import __version__
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.notifications.commit_status_reporter import StatusReporter
from aweigh.notifications.courier import Courier
from aweigh.notifications.senders.senders import Senders
from aweigh.store.lanes import Lanes
from aweigh.store.pruning import Pruning
from aweigh.temporal.executions import Executions
from aweigh.temporal.record_comparison import RecordComparison
from aweigh.temporal.workflow_records import WorkflowRecords
from worker.failures import PlainErrors
from worker.github import open_github
from worker.process import in_background, lower_priority, run, unless_stopped
from worker.schedules import keep_scheduled
from worker.store import open_store
from worker.temporal import connect_patiently, prepare
from workflows.commit_status import CommitStatusWorkflow
from workflows.deployment import DeploymentWorkflow
from workflows.lane import ApplicationLane
from workflows.names import CONTROL_QUEUE, NOTIFICATIONS_QUEUE
from workflows.notification import NotificationWorkflow
from workflows.prune import PruneWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.removal import RemovalWorkflow

WORKFLOWS = (
    ApplicationLane, DeploymentWorkflow, RemovalWorkflow, ReconcileWorkflow, PruneWorkflow,
    CommitStatusWorkflow, NotificationWorkflow,
)  # fmt: skip

#: How long the work of a moment may take to end when the process is stopped.
_GRACE: Final = timedelta(seconds=10)
#: An attempt hardly does more than wait, and a channel has few at a time.
_DELIVERIES_AT_ONCE: Final = 100


def sandbox() -> SandboxedWorkflowRunner:
    """Return a sandbox that does not reload our own modules, which took most of a run's time.

    The linter rejects in them what the sandbox would reject (workflows/ruff.toml).
    """
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "aweigh", "activities", "workflows"
    )
    return SandboxedWorkflowRunner(restrictions=restrictions)


def activities_of(
    records: RecordActivities,
    turns: TurnActivities,
    comparison: ComparisonActivities,
    statuses: CommitStatusActivities,
    pruning: PruneActivities,
    deliveries: DeliveryActivities,
) -> list[Callable[..., Any]]:
    """Return those of the control queue; attempts of deliveries have their own."""
    return [
        records.started, records.standing, records.succeeded, records.failed, records.removal,
        turns.read, comparison.compare, statuses.report, pruning.prune, deliveries.cancelled,
    ]  # fmt: skip


async def _connected(client: Client) -> Client:
    return client


async def work(settings: Settings, stop: asyncio.Event) -> None:
    store = await open_store(settings)
    client = await unless_stopped(connect_patiently(settings), stop)
    await unless_stopped(prepare(client, settings), stop)
    executions = Executions(lambda: _connected(client))
    records = RecordActivities(WorkflowRecords(store, executions))
    turns = TurnActivities(Lanes(store))
    keep_logs = timedelta(days=settings.keep_logs_days)
    github = await open_github(settings)
    statuses = CommitStatusActivities(StatusReporter(store, github, settings.workflow_page))
    comparison = ComparisonActivities(RecordComparison(store, executions, keep_logs))
    pruning = PruneActivities(Pruning(store, settings.keep_releases))
    senders = await in_thread(partial(Senders, settings))  # reads the machine's certificates
    deliveries = DeliveryActivities(Courier(store, senders, settings))
    activities = activities_of(records, turns, comparison, statuses, pruning, deliveries)
    async with (
        _control(client, activities),
        _notifications(client, deliveries),
        in_background(keep_scheduled(client, store)),
    ):
        await stop.wait()
    await senders.close()
    await github.close()
    await store.close()


def _control(client: Client, activities: list[Callable[..., Any]]) -> Worker:
    return Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=WORKFLOWS,
        activities=activities,
        workflow_runner=sandbox(),
        interceptors=[PlainErrors()],
        graceful_shutdown_timeout=_GRACE,
        # After a crash, tasks for the dead worker's cache wait this long before another worker may
        # take them.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        identity="control",
        build_id=__version__,  # by default the SDK reads and hashes every module
    )  # fmt: skip


def _notifications(client: Client, deliveries: DeliveryActivities) -> Worker:
    return Worker(
        client,
        task_queue=NOTIFICATIONS_QUEUE,
        activities=[deliveries.deliver],
        interceptors=[PlainErrors()],
        graceful_shutdown_timeout=_GRACE,
        max_concurrent_activities=_DELIVERIES_AT_ONCE,
        identity="control",
        build_id=__version__,  # by default the SDK reads and hashes every module
    )


def main() -> None:
    lower_priority()
    run(work)
