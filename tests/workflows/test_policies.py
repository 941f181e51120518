"""The budgets fit each other and the limits that an application may set."""

from datetime import timedelta

from annotated_types import Le

from aweigh.deployments.build_settings import BuildLimits
from aweigh.deployments.verdict import DEADLINE
from aweigh.notifications.senders import child
from aweigh.store import dispatch
from workflows import policies


def test_no_deployment_within_its_budgets_is_past_its_deadline() -> None:
    steps = (
        policies.PREFLIGHT, policies.PULL, policies.BUILD, policies.RELEASE, policies.CREATE,
        policies.HEALTH, policies.SWITCH, policies.DRAIN, policies.REMOVE,
    )  # fmt: skip

    assert sum((step.total or DEADLINE for step in steps), timedelta()) <= DEADLINE


def test_a_build_may_take_as_long_as_its_application_allows() -> None:
    [most] = [one.le for one in BuildLimits.model_fields["minutes"].metadata if isinstance(one, Le)]
    longest = timedelta(minutes=float(str(most)))

    assert longest < policies.BUILD.attempt
    assert policies.BUILD.waiting is not None
    assert policies.BUILD.waiting + policies.BUILD.attempt <= (policies.BUILD.total or longest)


def test_steps_left_to_the_reconciler_delay_the_next_deployment_by_minutes_only() -> None:
    left = (policies.DRAIN, policies.REMOVE, policies.SWEEP)

    assert sum((step.waiting or DEADLINE for step in left), timedelta()) <= timedelta(minutes=3)


def test_an_attempt_to_deliver_may_wait_for_senders_that_hang_but_does_not_count_as_lost() -> None:
    longest = timedelta(seconds=child.PATIENCE + child.SECONDS)

    assert longest + timedelta(minutes=2) <= policies.DELIVERY.attempt < dispatch._LONGEST_ATTEMPT
    assert longest > policies.DELIVERY_HEARTBEAT
