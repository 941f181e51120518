"""How long a delivery waits between two attempts."""

from datetime import timedelta
from typing import Final

_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(hours=1)
#: After so many doublings, a pause is the longest one anyway.
_DOUBLINGS: Final = 10


def pause_after(
    attempt: int, left: timedelta, retry_after: float | None = None
) -> timedelta | None:
    """Return the time until the next attempt; None if there is none.

    `left` is the time that the delivery has: the last attempt is made at its end. A receiver that
    asks for more time than an hour (`retry_after`, in seconds) gets it.
    """
    if left <= timedelta():
        return None
    pause = min(_FIRST * (1 << min(attempt - 1, _DOUBLINGS)), _LONGEST)
    if retry_after is not None:
        pause = max(pause, timedelta(seconds=min(retry_after, left.total_seconds())))
    return min(pause, left)
