"""The counters of a load, and the report made of them."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

FAILURES_KEPT = 100


class Kind(StrEnum):
    """How a request can end; on top of these comes `status_<code>` for any status but 2xx."""

    OK = "ok"
    CONNECT_ERROR = "connect_error"
    RESET = "reset"
    EOF = "eof"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    WRONG_APPLICATION = "wrong_application"
    UNCOMMITTED = "uncommitted"
    SKIPPED = "skipped"


class Verdict(NamedTuple):
    kind: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    time: float
    flow: str
    kind: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Of the complete answers, in seconds from the moment their request was due."""

    p50: float
    p99: float
    maximum: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latency:
        ordered = sorted(seconds) or [math.nan]
        p50, p99 = (ordered[math.ceil(len(ordered) * share) - 1] for share in (0.50, 0.99))
        return cls(p50=p50, p99=p99, maximum=ordered[-1])


@dataclass(frozen=True, kw_only=True)
class Report:
    sent: int
    """Every request that was due, those that could not be issued included."""
    answered: int
    """The requests that got a complete answer, whatever it said."""
    failed: int
    kinds: Mapping[str, int]
    versions: Mapping[str, int]
    first_seen: Mapping[str, float]
    """When each version first answered, on the clock of `time.monotonic`."""
    last_seen: Mapping[str, float]
    latencies: Mapping[str, Latency]
    """By flow, since the one with slow requests would hide the others."""
    failures: tuple[Failure, ...]
    """The first ones, in the order they happened."""


class Tally:
    """The counters behind a report."""

    def __init__(self) -> None:
        self.sent = 0
        self.answered = 0
        self.failed = 0
        self.ended = 0
        self.progress = asyncio.Event()
        self.versions = Counter[str]()
        self._kinds = Counter[str]()
        self._first_seen: dict[str, float] = {}
        self._last_seen: dict[str, float] = {}
        self._latencies: dict[str, array[float]] = {}
        self._failures: list[Failure] = []

    def record_answer(self, *, flow: str, version: str | None, due: float, now: float) -> None:
        self.answered += 1
        self._latencies.setdefault(flow, array("d")).append(now - due)
        if version is not None:
            self.versions[version] += 1
            self._first_seen.setdefault(version, now)
            self._last_seen[version] = now

    def record_verdict(self, verdict: Verdict, *, flow: str, now: float) -> None:
        self.ended += 1
        self.progress.set()
        self._kinds[verdict.kind] += 1
        if verdict.kind == Kind.OK:
            return
        self.failed += 1
        if len(self._failures) < FAILURES_KEPT:
            failure = Failure(time=now, flow=flow, kind=verdict.kind, detail=verdict.detail)
            self._failures.append(failure)

    def report(self) -> Report:
        return Report(
            sent=self.sent,
            answered=self.answered,
            failed=self.failed,
            kinds={str(kind): count for kind, count in self._kinds.items()},
            versions=dict(self.versions),
            first_seen=dict(self._first_seen),
            last_seen=dict(self._last_seen),
            latencies={flow: Latency.of(all_) for flow, all_ in self._latencies.items()},
            failures=tuple(self._failures),
        )
