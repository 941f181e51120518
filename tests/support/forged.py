"""Payloads made by hand for every activity, and what each of them is verified with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import httpx2

from activities import inputs
from activities.commit_status import CommitStatusActivities
from activities.comparison import ComparisonActivities
from activities.deliver import DeliveryActivities
from activities.prune import PruneActivities
from activities.record import RecordActivities
from activities.turns import TurnActivities
from aweigh.containers.subnet import Subnet
from aweigh.core.platform import Platform
from aweigh.core.settings import Settings
from aweigh.deployments.deployment import Reason
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.notifications.commit_status_reporter import StatusReporter
from aweigh.notifications.courier import Courier
from aweigh.servers.api_client import Api
from aweigh.store.database import Store
from aweigh.store.lanes import Lanes
from aweigh.store.pruning import Pruning
from aweigh.temporal.executions import Executions
from aweigh.temporal.record_comparison import RecordComparison
from aweigh.temporal.workflow_records import WorkflowRecords
from worker import control
from worker.engine_facts import EngineFacts
from worker.server_parts import ServerParts
from worker.server_wiring import ServerWiring


class Strangers:
    """A Temporal that says of every run that no lane started it."""

    async def is_run_of(self, *_: object) -> bool:
        return False


OUTSIDE = "../../../../etc/aweigh"
REAL = "dep_06h2100000000000000000000g"
STEP = "the deployment's id: the API answers only the known run of its own workflow"
RECORD = "the subject's id: the run must be of the workflow that the subject's lane started"


@dataclass(frozen=True)
class Forged:
    """A payload that somebody made by hand."""

    payloads: tuple[Any, ...]
    #: What the activity takes from it, and what that is verified with.
    takes: str


def _steps(*names: str) -> dict[str, Forged]:
    payloads = tuple(inputs.StepInput(one, OUTSIDE, 10**9) for one in (REAL, OUTSIDE, ""))
    return {name: Forged(payloads, STEP) for name in names}


def _records(*made: Callable[[str], Any]) -> tuple[Any, ...]:
    return tuple(make(one) for one in (REAL, OUTSIDE, "") for make in made)


#: Every activity of a server worker that a forged payload could misuse.
ON_SERVERS: Mapping[str, Forged] = _steps(
    "preflight", "fetch", "build", "pull", "release", "create", "health", "switch", "drain",
    "remove", "sweep", "undo",
) | {
    "remove_application": Forged(
        _records(inputs.RemovalInput),
        "the application's id: the API answers the run of the workflow that its lane started, and "
        "what is to be removed",
    ),
}  # fmt: skip
#: Those of the control worker.
ON_CONTROL: Mapping[str, Forged] = {
    "record_started": Forged(_records(inputs.StartedRecord), RECORD),
    "read_record": Forged(_records(inputs.RecordedStateInput), RECORD),
    "record_succeeded": Forged(_records(inputs.SucceededRecord), RECORD),
    "record_failed": Forged(
        _records(lambda one: inputs.FailedRecord(one, Reason.UNHEALTHY, "forged", OUTSIDE)), RECORD
    ),
    "record_removal": Forged(
        _records(inputs.RemovalRecord, lambda one: inputs.RemovalRecord(one, "forged")), RECORD
    ),
}
#: Those that do what the database and the server say, whatever they are given.
HARMLESS = {
    "read_turns": "ids, and its lane's own: it answers what the database knows, and writes nothing",
    "reconcile_server": "nothing: it asks the API what is expected on its own server",
    "compare_records": "the server's name: what is live there, that server told the API",
    "prune_deployments": "the server's name: what goes, the applications' own settings say",
    "deliver_notification": "the delivery's id: what is sent, and to which channel, the database "
    "says, and an ended delivery is not made again",
    "record_cancelled_delivery": "the delivery's id: its workflow could be cancelled as well",
    "report_commit_status": "the deployment's id: GitHub gets the state that the database has",
}


def api(asked: list[httpx2.Request]) -> Api:
    """An API that knows the deployment, the application and what is live, but not this run."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        reported = request.method == "PUT"
        body = {"type": "urn:aweigh:problem:not_found", "detail": "it has no such run"}
        return httpx2.Response(410 if reported else 404, json=body)

    return Api("http://127.0.0.1:1", "awg_t", "i", "b", httpx2.MockTransport(answer))


def named(activities: list[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {one.__temporal_activity_definition.name: one for one in activities}  # type: ignore[attr-defined]


def on_servers(client: Api, directory: Path) -> dict[str, Any]:
    """The activities of a server worker whose engine does not answer, and that has no files."""
    settings = Settings(data=directory, docker_host=f"unix://{directory}/no-engine")
    facts = EngineFacts(
        root=directory,
        platforms=ServerPlatforms(server="local", own=Platform("linux", "amd64")),
        subnet=Subnet(IPv4Network("10.201.0.0/16")),
    )
    parts = ServerParts(settings, "i", "machine", facts)
    made = ServerWiring(parts, client).activities().values()
    return named([one for queue in made for one in queue])


def on_control(store: Store) -> dict[str, Any]:
    strangers = cast(Executions, Strangers())
    deliveries = DeliveryActivities(Courier(store, cast(Any, None), Settings()))
    made = control.activities_of(
        RecordActivities(WorkflowRecords(store, strangers)),
        TurnActivities(Lanes(store)),
        ComparisonActivities(RecordComparison(store, strangers, timedelta(days=1))),
        CommitStatusActivities(StatusReporter(store, cast(Any, None), str)),
        PruneActivities(Pruning(store, keep_releases=5)),
        deliveries,
    )
    return named([*made, deliveries.deliver])
