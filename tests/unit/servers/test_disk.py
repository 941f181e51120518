"""What pulls and builds leave free."""

import shutil
from pathlib import Path

import pytest

from aweigh.core.errors import StepFailed
from aweigh.deployments.deployment import Reason
from aweigh.servers.disk import Reserve


def refusal(reserve: Reserve, directory: Path) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        reserve.refuse_if_below(directory, "A pull")
    return caught.value


def test_a_disk_with_room_is_accepted(tmp_path: Path) -> None:
    Reserve(percent=0, smallest=0).refuse_if_below(tmp_path, "A pull")


def test_a_disk_below_the_smallest_reserve_is_refused_with_the_figures(tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)

    error = refusal(Reserve(percent=0, smallest=usage.total * 2), tmp_path)

    assert error.reason is Reason.DISK_FULL
    total, reserve = (f"{size / 1024**3:.1f} GiB" for size in (usage.total, usage.total * 2))
    assert error.message.startswith("A pull needs room: ")
    assert f"of {total} are free on the engine's disk, and {reserve} stay in rese" in error.message
    assert error.message.endswith("Free some space, then retry.")


def test_a_disk_below_the_share_is_refused(tmp_path: Path) -> None:
    assert refusal(Reserve(percent=100, smallest=0), tmp_path).reason is Reason.DISK_FULL


def test_the_disk_of_a_directory_that_is_hidden_is_that_of_its_parent(tmp_path: Path) -> None:
    hidden = tmp_path / "docker" / "overlay2"

    Reserve(percent=0, smallest=0).refuse_if_below(hidden, "A pull")
    assert refusal(Reserve(percent=100, smallest=0), hidden).reason is Reason.DISK_FULL
