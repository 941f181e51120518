"""When nobody answers: bounded waiting, in real minutes (skipped ones stop at activities)."""

import pytest

from aweigh.deployments.deployment import Reason
from tests.support.stage import Stage, Theatre

pytestmark = pytest.mark.long


async def test_a_server_that_does_not_answer_is_offline(house: Theatre) -> None:
    async with house.stage(serving=False) as stage:
        await stage.submit(stage.turn(1))
        await stage.ended(1)

        failure = stage.world.failures[f"{stage.name}.1"]
        assert failure.reason is Reason.SERVER_OFFLINE
        assert stage.name in failure.message


async def test_a_fault_that_stays_ends_with_its_own_reason(stage: Stage) -> None:
    stage.world.world_fault("pull", Reason.REGISTRY_UNAVAILABLE, times=100)

    await stage.submit(stage.turn(1))
    await stage.ended(1)

    failure = stage.world.failures[f"{stage.name}.1"]
    assert failure.reason is Reason.REGISTRY_UNAVAILABLE
    assert stage.world.steps_of(f"{stage.name}.1").count("pull") == 6
