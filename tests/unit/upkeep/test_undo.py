"""What a newer deployment may go back to is not undone, whoever resets it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aweigh.routing.fence import Fence
from aweigh.routing.live_state import LiveState
from aweigh.routing.route import Generation, Routing
from aweigh.routing.route_files import RouteFile
from aweigh.upkeep.undo import Undo

APPLICATION = "app_06h2100000000000000000000g"


def generation(sequence: int) -> Generation:
    return Generation(
        instance="i", application=APPLICATION, slug="shop", deployment=f"dep_{sequence}",
        sequence=sequence, image_id="sha256:1", addresses=("10.0.0.2",), port=8000,
    )  # fmt: skip


async def succeeded(fence: Fence, undone: int, committed: int | None) -> bool:
    """Whether the deployment that is to be undone is found to have succeeded."""
    live = RouteFile(Path("shop.yml"), generation(committed)) if committed else None
    files: Any = SimpleNamespace(live=lambda _: live)
    state: Any = LiveState(files, fence, Routing(certificates=False))
    unused: Any = None
    release: Any = SimpleNamespace(
        application=APPLICATION, slug="shop", deployment=f"dep_{undone}", sequence=undone
    )
    return await Undo(state, unused, unused, unused, unused).is_live(release)


@pytest.mark.parametrize(
    ("undone", "committed", "expected"),
    [
        (1, 2, True),  # the newer one's switch was interrupted before it was seen to answer
        (1, None, False),
        (3, 2, False),
        (2, 1, False),
    ],
)
async def test_before_the_newer_one_was_seen_to_answer(
    tmp_path: Path, undone: int, committed: int | None, expected: bool
) -> None:
    fence = Fence(tmp_path)
    fence.enter(APPLICATION, 1, "dep_1")
    fence.verify(APPLICATION, 1)
    fence.enter(APPLICATION, 2, "dep_2")

    assert await succeeded(fence, undone, committed) is expected


async def test_afterwards_it_goes(tmp_path: Path) -> None:
    fence = Fence(tmp_path)
    for sequence in (1, 2):
        fence.enter(APPLICATION, sequence, f"dep_{sequence}")
        fence.verify(APPLICATION, sequence)

    assert await succeeded(fence, 1, committed=2) is False
