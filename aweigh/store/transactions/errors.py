"""Database errors as the callers see them: Unavailable or Invalid, without what the driver says.

A driver's message names hosts, ports, users and paths. It goes to the log, never into an answer.
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

#: A repeated message is logged once in this many seconds: every call may fail with it.
_QUIET_SECONDS: Final = 60
_UNAVAILABLE: Final = "the database does not answer"

_log = structlog.get_logger(__name__)


class ErrorTranslator:
    """Translates "locked" and "gone" of either database into Unavailable, and logs the cause."""

    def __init__(self) -> None:
        self._last_message = ""
        self._quiet_until = 0.0

    @contextmanager
    def translate(self) -> Iterator[None]:
        try:
            yield
        except (DataError, UnicodeEncodeError) as error:
            raise Invalid("body", "holds characters that cannot be stored") from error
        except SQLAlchemyError as error:
            if not _is_unavailable(error):
                raise
            self._log(driver_message(error))
            raise Unavailable(_UNAVAILABLE) from error

    def _log(self, message: str) -> None:
        now = time.monotonic()
        if message != self._last_message or now > self._quiet_until:
            _log.warning(_UNAVAILABLE, error=message)
            self._last_message, self._quiet_until = message, now + _QUIET_SECONDS


def driver_message(error: Exception) -> str:
    """Return the driver's own message in one line, without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _is_unavailable(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # For a file that is not a database, SQLite raises a plain DatabaseError, their base class.
    unavailable = isinstance(error, OperationalError | DisconnectionError | PoolTimeout)
    return unavailable or type(error) is DatabaseError
