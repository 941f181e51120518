"""How long a delivery waits between two attempts."""

from datetime import timedelta
from typing import Final

_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(hours=1)
#: Of a receiver that only limits how much it takes.
_LONGEST_OF_LIMITS: Final = timedelta(minutes=1)
#: After so many doublings, a pause is the longest one anyway.
_DOUBLINGS: Final = 10


def pause_after(
    attempt: int,
    left: timedelta,
    retry_after: float | None = None,
    *,
    is_limited: bool = False,
) -> timedelta | None:
    """Return the time until the next attempt; None if there is none.

    `left` is the time that the delivery has: the last attempt is made at its end. A receiver that
    asks for more time than an hour (`retry_after`, in seconds) gets it. One that says how
    long it limits what it takes (`is_limited`, a status of 429) is asked again after that, or after
    a minute if that is later.
    """
    if left <= timedelta():
        return None
    longest = _LONGEST_OF_LIMITS if is_limited and retry_after is not None else _LONGEST
    pause = min(_FIRST * (1 << min(attempt - 1, _DOUBLINGS)), longest)
    if retry_after is not None:
        pause = max(pause, timedelta(seconds=min(retry_after, left.total_seconds())))
    return min(pause, left)


def pause_of_channel(retry_after: float | None) -> timedelta | None:
    """Return how long a channel gets nothing else, either: as long as it asks, an hour at most."""
    if retry_after is None:
        return None
    return timedelta(seconds=min(retry_after, _LONGEST.total_seconds()))
