"""Retry policies and timeouts, each with a name, decided once."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio.common import Priority, RetryPolicy

HEARTBEAT_TIMEOUT: Final = timedelta(seconds=5)

_BACKOFF: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
)


#: A registry that stays away for half a minute fails the deployment; its retry costs nothing.
_ASK_SIX_TIMES: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_attempts=6
)


def share_of(slug: str) -> Priority:
    """An application's share of every queue: as much as any other's, however much it queues.

    A workflow's activities and children inherit it.
    """
    return Priority(fairness_key=slug)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long an activity may take: one attempt, all attempts, and waiting for a worker."""

    attempt: timedelta
    total: timedelta | None
    waiting: timedelta | None = None
    retries: RetryPolicy = field(default_factory=lambda: _BACKOFF)

    def options(self) -> dict[str, Any]:
        return {
            "start_to_close_timeout": self.attempt,
            "schedule_to_close_timeout": self.total,
            "schedule_to_start_timeout": self.waiting,
            "retry_policy": self.retries,
        }


#: Records in the database: what happened must be written down, however long that takes.
RECORD: Final = Budget(attempt=timedelta(seconds=20), total=None)
#: The same within a lane's own task, for as long as a database takes that is there.
ASK_AT_ONCE: Final = Budget(
    attempt=timedelta(seconds=2),
    total=timedelta(seconds=3),
    retries=RetryPolicy(maximum_attempts=1),
)

#: How often a deployment goes back to a step whose work is gone; more often, something removes it.
MOST_TIMES_BACK: Final = 3

_OFFLINE: Final = timedelta(minutes=5)
#: What is left to the reconciler if nobody takes it must not keep the next deployment waiting.
_AFTERWARDS: Final = timedelta(minutes=1)

#: The first step on the server: nobody taking it within a minute means the server is offline.
PREFLIGHT: Final = Budget(
    attempt=timedelta(minutes=5), total=timedelta(minutes=10), waiting=timedelta(seconds=60)
)
PULL: Final = Budget(
    attempt=timedelta(minutes=60),
    total=timedelta(minutes=90),
    waiting=timedelta(minutes=30),
    retries=_ASK_SIX_TIMES,
)
#: Longer than the longest time a build may be given (four hours), and than waiting for a slot.
BUILD: Final = Budget(
    attempt=timedelta(minutes=250),
    total=timedelta(hours=12),
    waiting=timedelta(hours=6),
    retries=_ASK_SIX_TIMES,
)
RELEASE: Final = Budget(
    attempt=timedelta(minutes=60), total=timedelta(minutes=70), waiting=_OFFLINE
)
#: Longer than the longest stop grace (an hour): `recreate` stops what is live first.
CREATE: Final = Budget(attempt=timedelta(minutes=65), total=timedelta(minutes=70), waiting=_OFFLINE)
#: Longer than a gate is ever given (an hour), by an application or by its image's own check.
HEALTH: Final = Budget(attempt=timedelta(minutes=65), total=timedelta(minutes=75), waiting=_OFFLINE)
SWITCH: Final = Budget(attempt=timedelta(minutes=3), total=timedelta(minutes=10), waiting=_OFFLINE)
#: Longer than the longest drain time (an hour); what is left undone passes to the reconciler.
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
#: How often a lane asks for children that another run of it started: they say when they end, but
#: not when they are terminated.
ASK_ADOPTED: Final = timedelta(seconds=20)
#: How often a deployment that waits for its turn asks whether it is still to have one.
FIRST_ASK: Final = timedelta(seconds=5)
LONGEST_ASK: Final = timedelta(minutes=10)
#: GitHub may limit how often it is asked for as long as an hour.
COMMIT_STATUS: Final = Budget(attempt=timedelta(seconds=60), total=timedelta(hours=2))
COMPARE: Final = Budget(attempt=timedelta(minutes=2), total=timedelta(minutes=10))
REMOVAL: Final = Budget(
    attempt=timedelta(minutes=65), total=timedelta(hours=24), waiting=timedelta(hours=24)
)
