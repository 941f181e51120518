"""What limits and health checks make of their settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from aweigh.deployments.application import HealthCheck, Resources


@pytest.mark.parametrize(
    ("memory", "size"),
    [(None, None), ("6m", 6 * 1024**2), ("6144k", 6 * 1024**2), ("2g", 2 * 1024**3),
     ("6291456b", 6 * 1024**2), ("512M", 2**29), ("512Mi", 2**29), ("512MB", 2**29),
     ("512MiB", 2**29), ("1G", 2**30), ("1Gi", 2**30), ("1 GB", 2**30), ("1.5g", 3 * 2**29),
     ("0.25Gi", 2**28), ("1T", 2**40), ("536870912", 2**29), (" 512m ", 2**29)],
)  # fmt: skip
def test_memory_is_told_in_bytes(memory: Any, size: int | None) -> None:
    assert Resources(memory=memory).memory_bytes == size


@pytest.mark.parametrize(
    ("written", "kept"),
    [("512m", "512m"), ("512M", "512m"), ("1Gi", "1g"), ("1024m", "1024m"), ("1.5g", "1536m"),
     (2**29, "512m"), ("6144K", "6144k"), (10_000_000, "10000000b")],
)  # fmt: skip
def test_memory_is_kept_in_one_spelling(written: Any, kept: str) -> None:
    assert Resources(memory=written).memory == kept


@pytest.mark.parametrize(
    "memory", ["", "m", "1x", "-1g", "1,5g", "1e9", "1..5g", "5m", 0, 5, True, "0.1m", "2048t",
               "512 M i", "1g1", "\u0665\u0661m"],
)  # fmt: skip
def test_what_is_no_amount_of_memory_is_refused(memory: Any) -> None:
    with pytest.raises(ValidationError):
        Resources(memory=memory)


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
