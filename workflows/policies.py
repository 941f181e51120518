"""Retry policies and timeouts, each with a name, decided once."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypedDict

from temporalio.common import Priority, RetryPolicy

from aweigh.deployments.workflow_ids import channel_slug

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=5)


class ActivityOptions(TypedDict):
    """The arguments of `execute_activity` that a budget decides."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    retry_policy: RetryPolicy


_BACKOFF: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
)

#: A registry that stays away for half a minute fails the deployment; its retry costs nothing.
_SIX_ATTEMPTS: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=6
)


def share_of(slug: str) -> Priority:
    """An application's share of every queue: as much as any other's, however much it queues.

    A workflow's activities and children inherit it.
    """
    return Priority(fairness_key=slug)


def share_of_channel(channel: str) -> Priority:
    """A channel's share of every queue, behind deployments, whose priority is the default of 3.

    Temporal takes keys of 64 bytes, and channels may have longer names.
    """
    return Priority(priority_key=4, fairness_key=f"channel/{channel_slug(channel)}")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long an activity may take: one attempt, all attempts, and waiting for a worker."""

    attempt: timedelta
    total: timedelta | None
    waiting: timedelta | None = None
    retries: RetryPolicy = field(default_factory=lambda: _BACKOFF)

    def options(self) -> ActivityOptions:
        return {
            "start_to_close_timeout": self.attempt,
            "schedule_to_close_timeout": self.total,
            "schedule_to_start_timeout": self.waiting,
            "retry_policy": self.retries,
        }


#: Records in the database: every change of state is written, however long the database is away.
RECORD: Final = Budget(attempt=timedelta(seconds=20), total=None)
#: A query within the lane's own workflow task; longer, and the database counts as away.
LOCAL_QUERY: Final = Budget(
    attempt=timedelta(seconds=2),
    total=timedelta(seconds=3),
    retries=RetryPolicy(maximum_attempts=1),
)

#: How often steps are repeated because their work was gone; after that, something removes it.
MAX_REPEATS: Final = 3

_OFFLINE: Final = timedelta(minutes=5)
#: The reconciler can do these steps too, so they hold up the next deployment only for a minute.
_AFTERWARDS: Final = timedelta(minutes=1)

#: The first step on the server: if no worker takes it within a minute, the server is offline.
PREFLIGHT: Final = Budget(
    attempt=timedelta(minutes=5), total=timedelta(minutes=10), waiting=timedelta(seconds=60)
)
PULL: Final = Budget(
    attempt=timedelta(minutes=60),
    total=timedelta(minutes=90),
    waiting=timedelta(minutes=30),
    retries=_SIX_ATTEMPTS,
)
#: Longer than the longest time a build may be given (four hours), and than waiting for a slot.
BUILD: Final = Budget(
    attempt=timedelta(minutes=250),
    total=timedelta(hours=12),
    waiting=timedelta(hours=6),
    retries=_SIX_ATTEMPTS,
)
RELEASE: Final = Budget(
    attempt=timedelta(minutes=60), total=timedelta(minutes=70), waiting=_OFFLINE
)
#: Longer than the longest stop grace (an hour): `recreate` stops what is live first.
CREATE: Final = Budget(attempt=timedelta(minutes=65), total=timedelta(minutes=70), waiting=_OFFLINE)
#: Longer than the longest health gate (an hour), of an application or of its image.
HEALTH: Final = Budget(attempt=timedelta(minutes=65), total=timedelta(minutes=75), waiting=_OFFLINE)
SWITCH: Final = Budget(attempt=timedelta(minutes=3), total=timedelta(minutes=10), waiting=_OFFLINE)
#: Longer than the longest drain time (an hour).
DRAIN: Final = Budget(
    attempt=timedelta(minutes=65), total=timedelta(minutes=70), waiting=_AFTERWARDS
)
#: Longer than the longest stop grace (an hour).
REMOVE: Final = Budget(
    attempt=timedelta(minutes=65), total=timedelta(minutes=70), waiting=_AFTERWARDS
)
SWEEP: Final = Budget(
    attempt=timedelta(minutes=5), total=timedelta(minutes=10), waiting=_AFTERWARDS
)
#: Cancelled means gone; after ten minutes without an answer the reconciler takes over.
UNDO: Final = Budget(
    attempt=timedelta(minutes=9), total=timedelta(minutes=10), waiting=timedelta(minutes=9)
)
RECONCILE: Final = Budget(
    attempt=timedelta(minutes=10), total=timedelta(minutes=10), waiting=timedelta(minutes=1)
)
#: How often a lane checks the children of an earlier run: they report their end themselves, but a
#: terminated one reports nothing.
CHILD_CHECK_INTERVAL: Final = timedelta(seconds=20)
#: How often a waiting deployment reads its record, which may have ended; the interval doubles.
FIRST_RECORD_CHECK: Final = timedelta(seconds=5)
LONGEST_RECORD_CHECK: Final = timedelta(minutes=10)
#: GitHub's rate limit may last an hour.
COMMIT_STATUS: Final = Budget(attempt=timedelta(seconds=60), total=timedelta(hours=2))
#: Longer than a sender takes that waits for its place behind others that hang. The heartbeat tells
#: of a worker that died, and the pauses here count only then: the courier decides all others, and
#: ends the attempts after a day.
DELIVERY: Final = Budget(
    attempt=timedelta(minutes=7),
    total=None,
    retries=RetryPolicy(
        initial_interval=timedelta(seconds=5),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(hours=1),
    ),
)
#: After the death of a worker, its attempts are repeated this soon.
DELIVERY_HEARTBEAT: Final = timedelta(seconds=10)
COMPARE: Final = Budget(attempt=timedelta(minutes=2), total=timedelta(minutes=10))
PRUNE: Final = Budget(attempt=timedelta(minutes=2), total=timedelta(minutes=10))
REMOVAL: Final = Budget(
    attempt=timedelta(minutes=65), total=timedelta(hours=24), waiting=timedelta(hours=24)
)
