"""How a process of Aweigh starts, stops and fails."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aweigh.core.errors import (
    StartupError,
    Unavailable,
)
from aweigh.core.settings import Settings
from aweigh.core.stalls import StallDetector, into_file
from aweigh.deployments.step_errors import StepError
from aweigh.logging import configure_logging, log_lost_error

#: The process cannot start with its settings; the supervisor does not restart it.
CANNOT_START: Final = 3
#: Something it needs is unavailable; a restart may help.
AWAY: Final = 1
#: Stopped by a signal before its work was done (128 + SIGINT).
INTERRUPTED: Final = 130
_THREADS: Final = 128
_NICENESS: Final = 10
#: How long a Python thread may run before another one gets its turn. The default is 5 ms, and in a
#: busy process each database statement would wait for that.
_SWITCH_SECONDS: Final = 0.001
#: Not a setting, but for tests: the file for reports about a blocked event loop.
STALLS_FILE: Final = "AWEIGH_STALLS_FILE"
#: For tests too: with lower priority, the stacks of parallel tests would wait for minutes.
KEEPS_PRIORITY: Final = "AWEIGH_KEEPS_PRIORITY"

Result = TypeVar("Result")


class Stopped(Exception):
    """A signal asked the process to stop before it had begun its work."""


def load_settings() -> Settings:
    """Return the settings. Raises: StartupError with the settings' names, on one line."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_input=False)
        raise StartupError("; ".join(_sentence(one) for one in wrong)) from error


def _sentence(wrong: ErrorDetails) -> str:
    text = wrong["msg"].removeprefix("Value error, ")
    # an error about two settings contains both names
    return f"AWEIGH_{str(wrong['loc'][0]).upper()}: {text}" if wrong["loc"] else text


def run(main: Callable[[Settings, asyncio.Event], Awaitable[int | None]]) -> NoReturn:
    """Run a process's main function until it ends or a signal stops it; it may return an exit code.

    Ends with `os._exit`: with a Temporal client, the interpreter aborts in about one of ten
    ordinary exits (temporalio/sdk-python#300).
    """
    code = 0
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        sys.setswitchinterval(_SWITCH_SECONDS)
        code = asyncio.run(_until_signalled(settings, main)) or 0
    except (StartupError, StepError) as error:
        sys.stderr.write(f"aweigh: {error}\n")
        code = CANNOT_START
    except Unavailable as error:
        sys.stderr.write(f"aweigh: {error}\n")
        code = AWAY
    except Stopped:
        pass
    except Exception as error:
        logging.getLogger("aweigh").critical("stopped by an unexpected error", exc_info=error)
        code = AWAY
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def lower_priority() -> None:
    """Let the API run before this process on a busy machine.

    Where Linux groups processes by session, niceness counts only within a session, so the session's
    priority is lowered too.
    """
    if os.environ.get(KEEPS_PRIORITY):
        return
    with suppress(OSError):
        os.nice(_NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_NICENESS))


async def _until_signalled(
    settings: Settings, main: Callable[[Settings, asyncio.Event], Awaitable[int | None]]
) -> int | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # The default depends on the number of processors, but these threads mostly wait for an engine.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    loop.set_exception_handler(log_lost_error)
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    # Imported objects live as long as the process: exclude them from garbage collection.
    gc.collect()
    gc.freeze()
    with _stalls_noted():
        return await main(settings, stop)


@contextmanager
def _stalls_noted() -> Iterator[None]:
    """Record what blocks the event loop, if Aweigh's tests request it."""
    path = os.environ.get(STALLS_FILE)
    if not path:
        yield
        return
    detector = StallDetector(into_file(Path(path)))
    detector.start()
    try:
        yield
    finally:
        detector.stop()


async def unless_stopped(work: Coroutine[Any, Any, Result], stop: asyncio.Event) -> Result:
    """Wait for a prerequisite of the process's work, however long it takes.

    Raises:
        Stopped: a signal came first.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return await working
    finally:
        working.cancel()
        stopping.cancel()


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` during the block, which is cancelled if `work` fails. Raises: ExceptionGroup."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()
