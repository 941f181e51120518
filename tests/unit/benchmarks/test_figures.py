"""What the tables of docs/performance.md are computed with."""

from collections.abc import Callable, Sequence

import pytest

from benchmarks.figures import Spread, milliseconds, percentile, ratio


def test_a_spread_is_the_middle_and_both_ends() -> None:
    assert Spread.of([5, 1, 3]) == Spread(median=3, lowest=1, highest=5)
    assert Spread.of([4, 1]) == Spread(median=2.5, lowest=1, highest=4)


def test_a_spread_is_written_with_its_ends_in_brackets() -> None:
    assert Spread.of([0.1234, 0.2]).text(digits=1, scale=100) == "16.2 (12.3 to 20.0)"
    assert milliseconds([0.5, 0.25, 1]) == "500 (250 to 1000)"


def test_a_ratio_compares_each_measurement_with_its_own_neighbour() -> None:
    quiet, busy = (2.0, 1.0), (20.0, 10.0)

    found = ratio([quiet[0], busy[0]], [quiet[1], busy[1]])

    assert found == Spread(median=2, lowest=2, highest=2)


def test_a_ratio_of_unequal_numbers_of_measurements_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), share) == expected


@pytest.mark.parametrize("measure", [Spread.of, lambda values: percentile(values, 0.5)])
def test_nothing_measured_is_no_figure(measure: Callable[[Sequence[float]], object]) -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        measure([])
