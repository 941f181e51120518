"""What GitHub shows of a deployment."""

import pytest

from aweigh.deployments.deployment import DeploymentState, Reason
from aweigh.github.commit_status import commit_status

CREATED, STARTED, SUCCEEDED, FAILED = DeploymentState


@pytest.mark.parametrize(
    ("state", "reason", "shown", "text"),
    [
        (CREATED, None, "pending", "On its way."),
        (STARTED, None, "pending", "On its way."),
        (SUCCEEDED, None, "success", "Live."),
        (FAILED, Reason.UNHEALTHY, "failure", "unhealthy: it answered 500"),
        (FAILED, Reason.SUPERSEDED, "error", "superseded: it answered 500"),
        (FAILED, Reason.CANCELLED, "error", "cancelled: it answered 500"),
    ],
)
def test_every_state_is_shown(
    state: DeploymentState, reason: Reason | None, shown: str, text: str
) -> None:
    status = commit_status(state, reason, "it answered 500", slug="shop", url="http://page")

    assert (status.state, status.description) == (shown, text)
    assert (status.context, status.target_url) == ("aweigh/shop", "http://page")


def test_a_long_sentence_is_cut_where_github_would_refuse_it() -> None:
    status = commit_status(FAILED, "unhealthy", "x" * 500, slug="shop", url="")

    assert len(status.description) == 140
    assert status.description.endswith("x…")
