"""Finds what blocks an event loop, for tests: a call that should have been made in a thread.

A thread asks the loop to answer, again and again, and looks at what it does while it does not.
Counted is only the time in which the loop's thread computed or waited, not the time in which the
machine let others run: a busy machine, or a process that was stopped, is no stall.
"""

import asyncio
import gc
import inspect
import json
import selectors
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Final

#: What a person, or a heartbeat, notices.
LIMIT_SECONDS: Final = 0.25
#: Between looks at a loop that answered, or waits for events.
_PAUSE_SECONDS: Final = 0.1
#: Between looks at a loop that does not answer.
_PERIOD_SECONDS: Final = 0.04
#: In which a loop waits that has nothing to do.
_SELECT: Final = selectors.DefaultSelector.select.__code__
_FRAMES: Final = 40
_DEEPEST: Final = 400


@dataclass(frozen=True)
class Allowed:
    """A function that may hold the loop, and why."""

    file: str
    function: str
    why: str

    def covers(self, frame: FrameType) -> bool:
        code = frame.f_code
        return code.co_filename.endswith(self.file) and self.function in ("", code.co_name)


#: What holds the loop of Aweigh's own processes with a reason.
ALLOWED: Final = (
    Allowed("importlib._bootstrap>", "", "a module is loaded once, when it is first needed"),
    Allowed(
        "temporalio/worker/_worker.py",
        "load_default_build_id",
        "the SDK hashes all modules once, before it takes any work",
    ),
    Allowed("api/app.py", "create_app", "nothing is served before it is there"),
)


@dataclass(frozen=True)
class Stall:
    """A time in which an event loop did nothing else."""

    seconds: float
    #: Where it was at most looks, the innermost call last.
    stack: tuple[str, ...]

    def __str__(self) -> str:
        return f"the event loop was blocked for {self.seconds:.2f} s at\n  " + "\n  ".join(
            self.stack
        )


@dataclass(frozen=True)
class _Times:
    """Of one thread: how long it computed, and how long it was ready and did not get to."""

    clock: float
    computed: float
    waited: float


class StallDetector:
    """Watches the loop of the thread that it is made in, from `start` to `stop`."""

    def __init__(
        self,
        report: Callable[[Stall], None],
        is_allowed: Callable[[Sequence[FrameType]], bool] | None = None,
        limit: float = LIMIT_SECONDS,
    ) -> None:
        """`is_allowed` gets the frames of one look, the innermost first."""
        self._report = report
        self._is_allowed = is_allowed or allowed_by(ALLOWED)
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._times = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._run, name="stall detector", daemon=True)

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._stopped.set()
        self._watch.join()

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE_SECONDS):
            if self._waits_for_events():
                continue  # to be asked would wake it, ten times a second in every process of a test
            answered = threading.Event()
            try:
                self._loop.call_soon_threadsafe(answered.set)
            except RuntimeError:  # the loop is closed
                return
            self._wait(answered)

    def _waits_for_events(self) -> bool:
        frames = _frames(self._thread)
        return bool(frames) and frames[0].f_code is _SELECT

    def _wait(self, answered: threading.Event) -> None:
        """Look on until the loop answers.

        A stall of which nobody had a look is not counted: it cannot be told who did it, or whether
        they may.
        """
        blocked = 0.0
        stacks: Counter[tuple[str, ...]] = Counter()
        before = self._now()
        while not self._stopped.is_set():
            done = answered.wait(_PERIOD_SECONDS)
            now = self._now()
            if done:
                blocked += _charged(before, now) if blocked else 0.0
                break
            frames = _frames(self._thread)
            if not self._is_allowed(frames):
                blocked += _charged(before, now)
                stacks[tuple(map(_line, reversed(frames[:_FRAMES])))] += 1
            before = now
        if blocked > self._limit:
            [(most, _)] = stacks.most_common(1)
            self._report(Stall(round(blocked, 3), most))

    def _now(self) -> _Times:
        try:
            computed, waited, _ = self._times.read_text().split()
        except (OSError, ValueError):  # a kernel that does not count them
            return _Times(time.monotonic(), 0.0, 0.0)
        return _Times(time.monotonic(), int(computed) / 1e9, int(waited) / 1e9)


def _charged(before: _Times, now: _Times) -> float:
    """What counts of the time between two looks.

    Where these are further apart than they should be, this process did not get to run at all, or
    the loop's thread computed in a call that lets no other thread of Python's look: that counts.
    """
    passed = now.clock - before.clock - (now.waited - before.waited)
    return max(0.0, min(passed, max(2 * _PERIOD_SECONDS, now.computed - before.computed)))


def _frames(thread: int) -> list[FrameType]:
    """What a thread is in, the innermost call first.

    It must not run on meanwhile. Whoever has just been given the interpreter's lock keeps it for
    some milliseconds, unless it lets go itself, or collects garbage.
    """
    found: list[FrameType] = []
    collects = gc.isenabled()
    gc.disable()
    try:
        time.sleep(0)
        frame = sys._current_frames().get(thread)
        while frame is not None and len(found) < _DEEPEST:
            found.append(frame)
            frame = frame.f_back
    finally:
        if collects:
            gc.enable()
    return found


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"


def allowed_by(allowed: Sequence[Allowed]) -> Callable[[Sequence[FrameType]], bool]:
    """Whether any of the calls that are under way may hold the loop."""
    return lambda frames: any(one.covers(frame) for frame in frames for one in allowed)


def nearest_coroutine(frames: Sequence[FrameType]) -> FrameType | None:
    """The one that should have made the call in a thread."""
    asynchronous = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    return next((frame for frame in frames if frame.f_code.co_flags & asynchronous), None)


def into_file(path: Path) -> Callable[[Stall], None]:
    """Append each stall to a file, one a line, in JSON."""

    def report(stall: Stall) -> None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(stall) | {"process": sys.argv[-1]}) + "\n")

    return report
