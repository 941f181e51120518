"""The disk space that pulls and builds leave free."""

import shutil
from pathlib import Path

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.servers.disk import DiskReserve


def reserve(directory: Path, *, percent: int = 0, least_bytes: int = 0) -> DiskReserve:
    return DiskReserve(directory=directory, percent=percent, least_bytes=least_bytes)


def refusal(refusing: DiskReserve) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        refusing.refuse_if_below("A pull")
    return caught.value


def test_a_disk_with_room_is_accepted(tmp_path: Path) -> None:
    reserve(tmp_path).refuse_if_below("A pull")


def test_a_disk_below_the_smallest_reserve_is_refused_with_the_figures(tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)

    error = refusal(reserve(tmp_path, least_bytes=usage.total * 2))

    assert error.reason is Reason.DISK_FULL
    total, kept = (f"{size / 1024**3:.1f} GiB" for size in (usage.total, usage.total * 2))
    assert error.message.startswith("A pull needs disk space: ")
    assert f"of {total} are free on the engine's disk, and {kept} must stay free" in error.message
    assert error.message.endswith("Free some space, then retry.")


def test_a_disk_below_the_share_is_refused(tmp_path: Path) -> None:
    assert refusal(reserve(tmp_path, percent=100)).reason is Reason.DISK_FULL


def test_the_disk_of_a_directory_that_is_hidden_is_that_of_its_parent(tmp_path: Path) -> None:
    hidden = tmp_path / "docker" / "overlay2"

    reserve(hidden).refuse_if_below("A pull")
    assert refusal(reserve(hidden, percent=100)).reason is Reason.DISK_FULL
