"""Logging with structlog: one line per event, for people on a terminal and as JSON elsewhere.

Errors are logged with their tracebacks, but never with a possible secret: a process that knows its
secrets masks them; otherwise texts of errors that are not Aweigh's own are left out.
"""

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from aweigh.secrets.error_text import said_by
from aweigh.secrets.value import mask_words


class _SafeFormatter(structlog.stdlib.ProcessorFormatter):
    """The last step of formatting a line, whichever library logged it."""

    def __init__(self, shared: list[Processor], renderer: Processor) -> None:
        super().__init__(
            foreign_pre_chain=shared,
            processors=[self.remove_processors_meta, self._render_error, renderer],
        )
        self.secrets: Callable[[], list[str]] | None = None

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return mask_words(line, self.secrets() if self.secrets else [])

    def _render_error(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        info = event.pop("exc_info", None)
        if info is True:
            info = sys.exc_info()
        error = info[1] if isinstance(info, tuple) else info
        if isinstance(error, BaseException):
            event["exception"] = trace_of(error, masks=self.secrets is not None)
        return event


class _SafeHandler(logging.StreamHandler[TextIO]):
    """Reports failures without the record's content, which Python's own handler would print."""

    def handleError(self, record: logging.LogRecord) -> None:
        kind = type(sys.exc_info()[1]).__name__
        sys.stderr.write(f"a line of {record.name} could not be logged ({kind})\n")


def trace_of(error: BaseException, *, masks: bool) -> str:
    """Return the traceback of an error and its causes, without texts that may contain secrets."""
    told: list[str] = []
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        told.append(_trace(following, masks=masks))
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)
    return "\n\nThen:\n".join(reversed(told))


def _trace(error: BaseException, *, masks: bool) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    text = f"Traceback (most recent call last):\n{frames}{said_by(error, masks=masks)}"
    if isinstance(error, BaseExceptionGroup):
        parts = [trace_of(one, masks=masks) for one in error.exceptions]
        text = "\n\nOne of a group:\n".join([text, *parts])
    return text


def configure_logging(level: str) -> None:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    handler = _SafeHandler()
    handler.setFormatter(_SafeFormatter(shared, renderer))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx2", "httpcore2", "docker", "urllib3", "alembic", "aiosqlite"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    threading.excepthook = _of_thread


def mask_logs(secrets: Callable[[], list[str]]) -> None:
    """Mask these secrets in every further line of this process's log."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _SafeFormatter):
            handler.formatter.secrets = secrets


def log_lost_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that nobody awaited; asyncio's own message would repeat the error's text."""
    logging.getLogger("asyncio").error(
        str(context.get("message", "an error that nobody awaited")).splitlines()[0],
        exc_info=context.get("exception"),
    )


def _of_thread(given: threading.ExceptHookArgs) -> None:
    logging.getLogger("threading").error("a thread failed", exc_info=given.exc_value)
