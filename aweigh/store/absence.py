"""An absence of the database: callers hear that there is one, the log what the driver says of it.

A driver names hosts, ports, users and paths, which are nobody's business at the doors.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    DisconnectionError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from aweigh.core.errors import Invalid, Unavailable

#: The same text is logged again after so many seconds: every call may fail with it.
_QUIET_SECONDS: Final = 60
_AWAY: Final = "the database does not answer"

_log = structlog.get_logger(__name__)


class Absence:
    """Turns "locked" and "gone" of either database into Unavailable."""

    def __init__(self) -> None:
        self._said = ""
        self._quiet_until = 0.0

    @contextmanager
    def in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (DataError, UnicodeEncodeError) as error:
            raise Invalid("body", "holds characters that cannot be stored") from error
        except SQLAlchemyError as error:
            if not _is_absence(error):
                raise
            self._note(said_by(error))
            raise Unavailable(_AWAY) from error

    def _note(self, said: str) -> None:
        now = time.monotonic()
        if said != self._said or now > self._quiet_until:
            _log.warning(_AWAY, error=said)
            self._said, self._quiet_until = said, now + _QUIET_SECONDS


def said_by(error: Exception) -> str:
    """What the database itself said, in one line and without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _is_absence(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # A file that is no database (any more) is a plain DatabaseError, which others derive from.
    away = isinstance(error, OperationalError | DisconnectionError | PoolTimeout)
    return away or type(error) is DatabaseError
