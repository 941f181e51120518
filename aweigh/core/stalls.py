"""Finds blocking calls in an event loop, for tests: such calls should run in a thread.

A thread repeatedly asks the loop to answer, and samples its stack while it does not. Only time in
which the loop's thread computed or waited counts, not time in which the machine ran other programs:
a busy machine, or a stopped process, is not a stall.
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

#: Noticeable for a person or a heartbeat.
LIMIT_SECONDS: Final = 0.25
#: Between checks of a loop that answered, or waits for events.
_PAUSE_SECONDS: Final = 0.1
#: Between samples of a loop that does not answer.
_PERIOD_SECONDS: Final = 0.04
#: The function in which an idle loop waits.
_SELECT: Final = selectors.DefaultSelector.select.__code__
_FRAMES: Final = 40
_DEEPEST: Final = 400


@dataclass(frozen=True)
class Allowed:
    """A function that may block the loop, with the reason."""

    file: str
    function: str
    why: str

    def covers(self, frame: FrameType) -> bool:
        code = frame.f_code
        return code.co_filename.endswith(self.file) and self.function in ("", code.co_name)


#: Accepted blocking calls in Aweigh's own processes.
ALLOWED: Final = (
    Allowed("importlib._bootstrap>", "", "a module is loaded once, when it is first needed"),
    Allowed("api/app.py", "create_app", "nothing is served before it is there"),
)


@dataclass(frozen=True)
class Stall:
    """A period in which one call blocked the event loop."""

    seconds: float
    #: The stack of most samples, the innermost call last.
    stack: tuple[str, ...]

    def __str__(self) -> str:
        return f"the event loop was blocked for {self.seconds:.2f} s at\n  " + "\n  ".join(
            self.stack
        )


@dataclass(frozen=True)
class _Times:
    """Of one thread: its CPU time, and its time waiting for a CPU."""

    clock: float
    computed: float
    waited: float


class StallDetector:
    """Watches the loop of the thread that creates it, from `start` to `stop`."""

    def __init__(
        self,
        report: Callable[[Stall], None],
        is_allowed: Callable[[Sequence[FrameType]], bool] | None = None,
        limit: float = LIMIT_SECONDS,
    ) -> None:
        """`is_allowed` gets the frames of one sample, the innermost first."""
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
                continue  # asking would wake every process of a test, ten times a second
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
        """Sample the loop's stack until it answers.

        A stall without a sample is not counted: its cause, and whether that is allowed, are
        unknown.
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
        except (OSError, ValueError):  # the kernel does not count them
            return _Times(time.monotonic(), 0.0, 0.0)
        return _Times(time.monotonic(), int(computed) / 1e9, int(waited) / 1e9)


def _charged(before: _Times, now: _Times) -> float:
    """Return the time between two samples that counts as blocked.

    If the samples are too far apart, either this process did not run at all, or the loop's thread
    was in a call that holds the interpreter's lock. Only the latter counts.
    """
    passed = now.clock - before.clock - (now.waited - before.waited)
    return max(0.0, min(passed, max(2 * _PERIOD_SECONDS, now.computed - before.computed)))


def _frames(thread: int) -> list[FrameType]:
    """Return a thread's frames, the innermost first.

    The thread must not run meanwhile. A thread that has just got the interpreter's lock keeps it
    for some milliseconds, unless it releases it or collects garbage.
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
    """Return a function that tells whether any frame is an allowed call."""
    return lambda frames: any(one.covers(frame) for frame in frames for one in allowed)


def nearest_coroutine(frames: Sequence[FrameType]) -> FrameType | None:
    """Return the innermost coroutine, which should have made the call in a thread."""
    asynchronous = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    return next((frame for frame in frames if frame.f_code.co_flags & asynchronous), None)


def into_file(path: Path) -> Callable[[Stall], None]:
    """Append each stall to a file, as one line of JSON."""

    def report(stall: Stall) -> None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(stall) | {"process": sys.argv[-1]}) + "\n")

    return report
