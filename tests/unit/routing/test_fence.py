"""An older deployment never replaces a newer one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.routing.fence import Fence, FenceState
from aweigh.routing.route import Generation


@pytest.fixture
def fence(tmp_path: Path) -> Fence:
    return Fence(tmp_path)


def passes(fence: Fence, sequence: int, deployment: str = "", **more: Any) -> None:
    fence.enter("app_1", sequence, deployment or f"dep_{sequence}", **more)


def refused(fence: Fence, sequence: int, deployment: str = "", **more: Any) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        passes(fence, sequence, deployment, **more)
    return caught.value


def live(sequence: int, deployment: str = "") -> Generation:
    return Generation(
        instance="i", application="app_1", slug="shop", deployment=deployment or f"dep_{sequence}",
        sequence=sequence, image_id="sha256:1", addresses=(), port=None,
    )  # fmt: skip


def test_a_newer_one_passes_and_closes_the_fence_behind_it(fence: Fence) -> None:
    passes(fence, 1)
    passes(fence, 3)

    error = refused(fence, 2)

    assert error.reason is Reason.SUPERSEDED
    assert error.message == (
        "Sequence 2 is too late: 3 (another deployment) has begun on this server."
    )


def test_the_steps_of_one_deployment_all_pass(fence: Fence) -> None:
    for _ in range(3):
        passes(fence, 2)

    assert fence.state("app_1") == FenceState(highest=2, deployment="dep_2")


def test_applications_do_not_stand_in_each_others_way(fence: Fence) -> None:
    passes(fence, 9)

    fence.enter("app_2", 1, "dep_1")


def test_what_is_live_counts_like_what_has_begun(fence: Fence) -> None:
    passes(fence, 2)

    assert refused(fence, 3, live=live(4)).reason is Reason.SUPERSEDED
    passes(fence, 4, live=live(4))


def test_one_sequence_is_one_deployments(fence: Fence) -> None:
    """A database restored from a backup gives a sequence to a second deployment."""
    passes(fence, 2, "dep_lost")

    assert "2 (another deployment) has begun" in refused(fence, 2, "dep_new").message
    passes(fence, 2, "dep_lost")


def test_one_sequence_is_the_live_deployments(fence: Fence) -> None:
    passes(fence, 1)

    assert refused(fence, 2, "dep_new", live=live(2, "dep_lost")).reason is Reason.SUPERSEDED
    passes(fence, 2, "dep_lost", live=live(2, "dep_lost"))


def test_a_mark_of_an_earlier_version_lets_its_sequence_pass(fence: Fence, tmp_path: Path) -> None:
    (tmp_path / "app_1.json").write_text('{"highest": 3, "removed": false}')

    passes(fence, 3)
    assert refused(fence, 2).reason is Reason.SUPERSEDED


def test_the_mark_outlives_the_process(fence: Fence, tmp_path: Path) -> None:
    passes(fence, 3)

    assert refused(Fence(tmp_path), 2).reason is Reason.SUPERSEDED


def test_nothing_up_to_a_removal_comes_back(fence: Fence) -> None:
    passes(fence, 2)
    fence.close("app_1", 3)

    for sequence in (1, 2, 3):
        assert "the removal of the application" in refused(fence, sequence).message


def test_a_removal_that_is_repeated_stays_a_removal(fence: Fence) -> None:
    fence.close("app_1", 3)
    fence.close("app_1", 3)

    assert fence.state("app_1") == FenceState(highest=3, removed=True)


def test_a_late_removal_does_not_open_the_fence_for_what_was_refused(fence: Fence) -> None:
    passes(fence, 7)
    fence.close("app_1", 5)

    assert refused(fence, 6).reason is Reason.SUPERSEDED


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=12))
def test_whatever_is_asked_the_mark_never_falls(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[bool, int]]
) -> None:
    fence = Fence(tmp_path_factory.mktemp("fence"))
    for close, sequence in asked:
        before = fence.state("app_1").highest
        try:
            fence.close("app_1", sequence) if close else passes(fence, sequence)
        except StepFailed:
            assert sequence <= before
        assert fence.state("app_1").highest == max(before, sequence)


def test_what_was_verified_stays_so_until_a_newer_one_is(fence: Fence) -> None:
    passes(fence, 4)
    fence.verify("app_1", 4)

    passes(fence, 5)
    assert fence.state("app_1") == FenceState(highest=5, deployment="dep_5", verified=4)

    fence.verify("app_1", 5)
    assert fence.state("app_1") == FenceState(highest=5, deployment="dep_5", verified=5)
