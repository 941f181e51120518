"""What limits and health checks make of their settings."""

import pytest

from aweigh.domain.application import HealthCheck, Resources


@pytest.mark.parametrize(
    ("memory", "size"),
    [(None, None), ("6m", 6 * 1024**2), ("6144k", 6 * 1024**2), ("2g", 2 * 1024**3),
     ("6291456b", 6 * 1024**2)],
)  # fmt: skip
def test_memory_is_told_in_bytes(memory: str | None, size: int | None) -> None:
    assert Resources(memory=memory).memory_bytes == size


@pytest.mark.parametrize(
    ("wanted", "accepted"),
    [(None, {200, 204, 301, 302, 399}), (200, {200}), (404, {404})],
)
def test_a_health_check_accepts_its_status_or_any_good_one(
    wanted: int | None, accepted: set[int]
) -> None:
    check = HealthCheck(type="http", status=wanted)

    seen = {status for status in (101, 200, 204, 301, 302, 399, 400, 404, 500, 503)
            if check.accepts(status)}  # fmt: skip
    assert seen == accepted
