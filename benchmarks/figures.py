"""Medians and ratios, always with their spread."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Repetitions of one measurement: the middle and both ends."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Raises: ValueError when nothing was measured."""
        known = list(values)
        if not known:
            raise ValueError("nothing was measured")
        return cls(median=median(known), lowest=min(known), highest=max(known))

    def text(self, *, digits: int = 0, scale: float = 1.0) -> str:
        """The median, and in brackets the ends."""
        middle, lowest, highest = (
            f"{value * scale:.{digits}f}" for value in (self.median, self.lowest, self.highest)
        )
        return f"{middle} ({lowest} to {highest})"


def ratio(measured: Sequence[float], reference: Sequence[float]) -> Spread:
    """Of pairs measured one after the other, so that a busy moment hits both alike.

    Raises:
        ValueError: they are not pairs.
    """
    pairs = zip(measured, reference, strict=True)
    return Spread.of(one / other for one, other in pairs)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed.

    Raises:
        ValueError: nothing was measured.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[max(ceil(len(ordered) * share), 1) - 1]


def milliseconds(seconds: Iterable[float]) -> str:
    return Spread.of(seconds).text(scale=1000)
