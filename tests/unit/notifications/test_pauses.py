"""The pauses between attempts double, and end with the day."""

from datetime import timedelta

import pytest

from aweigh.notifications.pauses import pause_after, pause_of_channel

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def test_pauses_double_up_to_an_hour() -> None:
    pauses = [pause_after(attempt, DAY) for attempt in (1, 2, 3, 10, 11, 1000)]

    assert pauses == [timedelta(seconds=one) for one in (5, 10, 20, 2560, 3600, 3600)]


def test_a_receiver_gets_the_time_that_it_asks_for() -> None:
    assert pause_after(1, DAY, 90) == timedelta(seconds=90)
    assert pause_after(1, DAY, 3 * 3600) == 3 * HOUR


@pytest.mark.parametrize("asked", [0, 1.5, -3])
def test_a_receiver_that_asks_for_less_waits_for_the_usual_pause(asked: float) -> None:
    assert pause_after(3, DAY, asked) == timedelta(seconds=20)


@pytest.mark.parametrize("asked", [None, 7200, 10**400, float("inf")])
def test_the_last_attempt_is_made_at_the_end_of_the_time(asked: float | None) -> None:
    assert pause_after(20, timedelta(minutes=7), asked) == timedelta(minutes=7)


@pytest.mark.parametrize("left", [timedelta(), timedelta(seconds=-1)])
def test_no_attempt_follows_after_the_end_of_the_time(left: timedelta) -> None:
    assert pause_after(1, left) is None
    assert pause_after(1, left, 60) is None


def test_all_pauses_of_a_day_are_some_thirty() -> None:
    left, attempts = DAY, 1
    while pause := pause_after(attempts, left):
        left, attempts = left - pause, attempts + 1

    assert attempts == 34


def test_receiver_that_limits_what_it_takes_is_asked_again_soon() -> None:
    assert pause_after(1000, DAY, 2, is_limited=True) == timedelta(minutes=1)
    assert pause_after(1000, DAY, 90, is_limited=True) == timedelta(seconds=90)
    assert pause_after(1000, DAY, is_limited=True) == HOUR


def test_channel_rests_as_long_as_it_asks_but_an_hour_at_most() -> None:
    assert pause_of_channel(None) is None
    assert pause_of_channel(2) == timedelta(seconds=2)
    assert pause_of_channel(3 * 3600) == HOUR
