from __future__ import annotations

from tests.support.load.report import FAILURES_KEPT, Failure, Kind, Latency, Tally, Verdict


def test_percentiles_are_those_of_the_sorted_latencies() -> None:
    latency = Latency.of(seconds / 100 for seconds in range(100, 0, -1))

    assert latency == Latency(p50=0.50, p99=0.99, maximum=1.0)


def test_a_single_latency_is_all_percentiles() -> None:
    assert Latency.of([2.0]) == Latency(p50=2.0, p99=2.0, maximum=2.0)


def test_a_version_is_remembered_with_its_first_and_last_answer() -> None:
    tally = Tally()
    for now, version in ((1.0, "v1"), (2.0, "v2"), (3.0, "v1"), (4.0, None)):
        tally.record_answer(flow="get", version=version, due=now - 0.5, now=now)

    report = tally.report()

    assert report.answered == 4
    assert report.versions == {"v1": 2, "v2": 1}
    assert report.first_seen == {"v1": 1.0, "v2": 2.0}
    assert report.last_seen == {"v1": 3.0, "v2": 2.0}
    assert report.latencies == {"get": Latency(p50=0.5, p99=0.5, maximum=0.5)}


def test_all_failures_are_counted_and_the_first_are_kept() -> None:
    tally = Tally()
    tally.record_verdict(Verdict(Kind.OK), flow="get", now=0.0)
    for now in range(FAILURES_KEPT + 1):
        tally.record_verdict(Verdict(Kind.EOF, "cut"), flow="get", now=float(now))

    report = tally.report()

    assert report.kinds == {"ok": 1, "eof": FAILURES_KEPT + 1}
    assert report.failed == FAILURES_KEPT + 1
    assert len(report.failures) == FAILURES_KEPT
    assert report.failures[0] == Failure(time=0.0, flow="get", kind="eof", detail="cut")
