"""What to make of a deployment that the database holds open."""

from datetime import UTC, datetime, timedelta

import pytest

from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.verdict import DEADLINE, Verdict, WorkflowStatus, judge

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CREATED, STARTED = DeploymentState.CREATED, DeploymentState.STARTED
RUNNING, CLOSED = WorkflowStatus.RUNNING, WorkflowStatus.CLOSED
UNKNOWN = WorkflowStatus.UNKNOWN


@pytest.mark.parametrize("live", [True, False], ids=["live", "not live"])
@pytest.mark.parametrize(
    ("state", "status", "late", "if_live", "if_not"),
    [
        (CREATED, RUNNING, False, Verdict.LEAVE, Verdict.LEAVE),
        (STARTED, RUNNING, False, Verdict.LEAVE, Verdict.LEAVE),
        (STARTED, RUNNING, True, Verdict.SUCCEEDED, Verdict.TIMED_OUT),
        (CREATED, UNKNOWN, False, Verdict.HAND_OVER, Verdict.HAND_OVER),
        (STARTED, UNKNOWN, False, Verdict.SUCCEEDED, Verdict.TERMINATED),
        (STARTED, UNKNOWN, True, Verdict.SUCCEEDED, Verdict.TERMINATED),
        (CREATED, CLOSED, False, Verdict.SUCCEEDED, Verdict.TERMINATED),
        (STARTED, CLOSED, False, Verdict.SUCCEEDED, Verdict.TERMINATED),
    ],
)
def test_nothing_stays_open_for_ever(
    state: DeploymentState,
    status: WorkflowStatus,
    late: bool,
    if_live: Verdict,
    if_not: Verdict,
    live: bool,
) -> None:
    began = NOW - DEADLINE + timedelta(seconds=-1 if late else 1)
    started_at = began if state is STARTED else None

    verdict = judge(state, status, started_at=started_at, now=NOW, live=live)

    assert verdict is (if_live if live else if_not)


@pytest.mark.parametrize(
    ("state", "status", "late", "expected"),
    [
        (STARTED, CLOSED, False, Verdict.LEAVE),
        (STARTED, UNKNOWN, False, Verdict.LEAVE),
        (STARTED, CLOSED, True, Verdict.TERMINATED),
        (STARTED, RUNNING, True, Verdict.TIMED_OUT),
        (CREATED, CLOSED, False, Verdict.TERMINATED),
        (CREATED, UNKNOWN, False, Verdict.HAND_OVER),
    ],
)
def test_what_may_have_become_live_is_left_while_its_server_cannot_be_asked(
    state: DeploymentState, status: WorkflowStatus, late: bool, expected: Verdict
) -> None:
    began = NOW - DEADLINE + timedelta(seconds=-1 if late else 1)
    started_at = began if state is STARTED else None

    assert judge(state, status, started_at=started_at, now=NOW, live=None) is expected
