"""How a process of Aweigh starts, ends and fails."""

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

from aweigh.core.errors import StartupError, StepError, Unavailable
from aweigh.core.logging import configure_logging, log_lost_error
from aweigh.core.settings import Settings
from aweigh.core.stalls import StallDetector, into_file

#: A process that cannot start with what it was given; its supervisor does not start it again.
CANNOT_START: Final = 3
#: Something it needs is away: starting it again may help.
AWAY: Final = 1
#: Ended by a signal before its work was done (128 + SIGINT).
INTERRUPTED: Final = 130
_THREADS: Final = 128
_NICENESS: Final = 10
#: Of Python's threads, before one has to let another run; by default it is 5 ms, and each statement
#: of a database waits for it where a process is busy.
_SWITCH_SECONDS: Final = 0.001
#: A switch for the tests, not a setting: the file that says what blocked the event loop.
STALLS_FILE: Final = "AWEIGH_STALLS_FILE"
#: Another: stacks of tests run beside each other and much else, and would wait for minutes.
KEEPS_PRIORITY: Final = "AWEIGH_KEEPS_PRIORITY"

Result = TypeVar("Result")


class Stopped(Exception):
    """A signal asked the process to end before it had begun its work."""


def load_settings() -> Settings:
    """Raises: StartupError with the settings' names; one line."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_input=False)
        raise StartupError("; ".join(_sentence(one) for one in wrong)) from error


def _sentence(wrong: ErrorDetails) -> str:
    text = wrong["msg"].removeprefix("Value error, ")
    # What is wrong between two settings names both of them itself.
    return f"AWEIGH_{str(wrong['loc'][0]).upper()}: {text}" if wrong["loc"] else text


def run(main: Callable[[Settings, asyncio.Event], Awaitable[int | None]]) -> NoReturn:
    """Run a process's main until it ends or a signal asks it to; it may return an exit code.

    Ends by a flushed `os._exit`: an interpreter that held a Temporal client aborts in about one
    of ten ordinary exits (temporalio/sdk-python#300).
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
        logging.getLogger("aweigh").critical("ended by an unexpected error", exc_info=error)
        code = AWAY
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def lower_priority() -> None:
    """Let the API go before this process on a busy machine.

    Where Linux groups processes by session, niceness counts within a session only, so that the
    session's own is lowered too.
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
    # Python's own choice follows the processors; these wait, for an engine, and for many at once.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    loop.set_exception_handler(log_lost_error)
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    # What was imported lives as long as the process: no collection need look at it again.
    gc.collect()
    gc.freeze()
    with _stalls_noted():
        return await main(settings, stop)


@contextmanager
def _stalls_noted() -> Iterator[None]:
    """Where Aweigh's tests ask for it, note what blocks the event loop."""
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
    """Wait for what a process needs before it can work, however long that takes.

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
    """Raises: ExceptionGroup: it ended by an error; the block is cancelled at once."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()
