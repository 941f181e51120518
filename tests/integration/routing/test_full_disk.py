"""Committing and going back where there is no room: on a real file system that is full."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from aweigh.routing.route import Generation
from aweigh.routing.route_files import RouteFiles

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def generation(sequence: int) -> Generation:
    return Generation(
        instance="one", application="app_a", slug="shop", deployment=f"dep_{sequence}",
        sequence=sequence, image_id="sha256:a", addresses=("10.201.1.0",), port=8000,
    )  # fmt: skip


def text(sequence: int) -> str:
    return f"# aweigh {json.dumps(asdict(generation(sequence)))}\n" + "# padding\n" * 2000


def test_going_back_needs_no_room(small_disk: Path) -> None:
    route_files = RouteFiles(small_disk)
    route_files.prepare()
    route_files.write(generation(1), text(1), routed=True)
    second = route_files.write(generation(2), text(2), routed=True)
    fill(small_disk)

    before = route_files.go_back(second)

    live = route_files.live("shop")
    assert before == generation(1)
    assert live is not None
    assert live.generation == generation(1)


def test_a_commit_without_room_leaves_what_is_live(small_disk: Path) -> None:
    route_files = RouteFiles(small_disk)
    route_files.prepare()
    route_files.write(generation(1), text(1), routed=True)
    fill(small_disk)

    with pytest.raises(OSError, match="No space left"):
        route_files.write(generation(2), text(2), routed=True)

    live = route_files.live("shop")
    assert live is not None
    assert live.generation == generation(1)
    assert live.path.read_text() == text(1)
