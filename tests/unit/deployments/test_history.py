"""Which deployments of an application may be deleted, and which its history no longer keeps."""

from datetime import UTC, datetime, timedelta

import pytest

from aweigh.deployments.application import KeepDeployments
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.history import HistoryEntry, Needs, deletable, expired

SUCCEEDED, FAILED, STARTED = (
    DeploymentState.SUCCEEDED, DeploymentState.FAILED, DeploymentState.STARTED,
)  # fmt: skip
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def entry(
    sequence: int, state: DeploymentState = SUCCEEDED, release: str = "", days: int = 0
) -> HistoryEntry:
    ended = NOW - timedelta(days=days) if state.ended else None
    return HistoryEntry(
        id=f"dep_{sequence}", sequence=sequence, state=state,
        release=release or f"rel_{sequence}", finished_at=ended,
    )  # fmt: skip


def sequences(entries: list[HistoryEntry]) -> list[int]:
    return [one.sequence for one in entries]


def test_what_is_live_stays() -> None:
    assert Needs(live=entry(2)).reason_to_keep(entry(2)) == "it is live"


def test_a_failed_deployment_is_needed_by_nobody() -> None:
    needs = Needs(live=entry(3), kept=(entry(3), entry(1)))

    assert needs.reason_to_keep(entry(2, FAILED)) is None


def test_a_failed_deployment_that_its_server_reports_as_live_stays() -> None:
    needs = Needs(live=entry(1), kept=(entry(1),), reported={"dep_2", "dep_1"})

    reason = needs.reason_to_keep(entry(2, FAILED))

    assert reason == "its server reports it as live; the record is corrected within minutes"


def test_a_report_that_is_older_than_the_swap_keeps_nothing() -> None:
    needs = Needs(live=entry(3), kept=(entry(3), entry(2), entry(1)), reported={"dep_2"})

    assert needs.reason_to_keep(entry(2)) is None


def test_what_a_deployment_in_flight_deploys_again_stays() -> None:
    again = entry(4, STARTED, release="rel_1")
    needs = Needs(live=entry(3), kept=(entry(3), entry(2), entry(1)), opened=(again,))

    reason = "dep_4, which has not ended, deploys its release again"
    assert needs.reason_to_keep(entry(1)) == reason
    assert needs.reason_to_keep(entry(2)) is None


def test_the_only_way_back_stays_and_one_of_two_does_not() -> None:
    live, older, oldest = entry(3), entry(2), entry(1)
    only = "it is the only deployment that the application can be rolled back to"

    assert Needs(live=live, kept=(live, older)).reason_to_keep(older) == only
    two = Needs(live=live, kept=(live, older, oldest))
    assert [two.reason_to_keep(one) for one in (older, oldest)] == [None, None]


def test_the_live_release_under_another_deployment_is_no_way_back() -> None:
    live = entry(3, release="rel_1")
    needs = Needs(live=live, kept=(live, entry(2), entry(1)))

    assert needs.reason_to_keep(entry(1)) is None
    assert needs.reason_to_keep(entry(2)) is not None


def test_what_the_server_does_not_keep_for_rollbacks_is_no_way_back() -> None:
    """Its image may be gone already."""
    needs = Needs(live=entry(3), kept=(entry(3), entry(2)))

    assert needs.reason_to_keep(entry(1)) is None
    assert needs.reason_to_keep(entry(2)) is not None


def test_where_nothing_is_live_the_last_one_that_was_stays() -> None:
    assert Needs(kept=(entry(1),)).reason_to_keep(entry(1)) is not None
    assert Needs(kept=(entry(2), entry(1))).reason_to_keep(entry(1)) is None


def test_nothing_of_a_removed_application_is_needed() -> None:
    assert Needs().reason_to_keep(entry(1)) is None


def test_of_all_ways_back_the_newest_stays() -> None:
    entries = [entry(sequence) for sequence in (4, 3, 2, 1)]
    needs = Needs(live=entries[0], kept=tuple(entries))

    assert sequences(deletable(needs, entries)) == [1, 2]


def test_what_has_not_ended_is_not_deleted() -> None:
    wanted = [entry(1, STARTED), entry(2, FAILED)]

    assert sequences(deletable(Needs(opened=(wanted[0],)), wanted)) == [2]


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (KeepDeployments(count=5, days=40), []),
        (KeepDeployments(count=4, days=40), [1]),
        (KeepDeployments(count=1, days=40), [1, 2, 3, 4]),
        (KeepDeployments(count=5, days=39), []),
        (KeepDeployments(count=5, days=25), [1, 2]),
        (KeepDeployments(count=4, days=25), [1, 2]),
    ],
)
def test_a_history_is_bounded_by_count_and_by_age(keep: KeepDeployments, gone: list[int]) -> None:
    oldest = [entry(number, days=days) for number, days in enumerate((39, 30, 20, 10), 1)]
    newest = entry(5, STARTED)

    assert sequences(expired([*oldest, newest], 5, keep, NOW)) == gone


def test_what_has_not_ended_has_no_age_and_counts() -> None:
    oldest = [entry(1, STARTED), entry(2, FAILED, days=1)]

    assert sequences(expired(oldest, 3, KeepDeployments(count=2), NOW)) == []
    assert sequences(expired(oldest, 4, KeepDeployments(count=2), NOW)) == [2]
