"""Waiting for a server is bounded: tested in real minutes, as skipped time stops at activities."""

import pytest

from aweigh.deployments.deployment import Reason
from tests.support.stage import Stage, Theatre

pytestmark = pytest.mark.long


async def test_a_server_without_a_worker_is_offline(house: Theatre) -> None:
    async with house.stage(serving=False) as stage:
        await stage.submit(stage.turn(1))
        await stage.ended(1)

        failure = stage.world.failures[f"{stage.name}.1"]
        assert failure.reason is Reason.SERVER_OFFLINE
        assert stage.name in failure.message


async def test_a_lasting_error_fails_the_deployment_with_its_own_reason(stage: Stage) -> None:
    stage.world.world_fault("pull", Reason.REGISTRY_UNAVAILABLE, times=100)

    await stage.submit(stage.turn(1))
    await stage.ended(1)

    failure = stage.world.failures[f"{stage.name}.1"]
    assert failure.reason is Reason.REGISTRY_UNAVAILABLE
    assert stage.world.steps_of(f"{stage.name}.1").count("pull") == 6
