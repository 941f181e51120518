"""The start of a release command: its failures keep their reason."""

import pytest

from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.labels import (
    DEPLOYMENT,
    INSTANCE,
)
from aweigh.testing.engine import Program
from tests.support.fake_parts import FakeParts, image_of


def migrating(parts: FakeParts, **settings: object) -> Release:
    return parts.release(1, release_command=["migrate"], **settings)


async def test_a_command_that_cannot_start_is_said_with_what_the_engine_said(
    parts: FakeParts,
) -> None:
    release = migrating(parts)
    image = image_of(release)
    parts.engine.programs[image.id] = Program(refusal="no such file: migrate.")

    with pytest.raises(StepFailed, match=r"started: .*migrate\. Nothing was") as failure:
        await parts.release_command.run(parts.step(release), image)

    assert failure.value.reason is Reason.RELEASE_COMMAND_FAILED
    assert await parts.statuses() == {}


async def test_a_bind_mount_that_is_not_allowed_keeps_its_own_reason(parts: FakeParts) -> None:
    release = migrating(parts, volumes=[{"source": "/etc", "target": "/data"}])

    with pytest.raises(StepFailed, match="are not allowed on this server") as failure:
        await parts.release_command.run(parts.step(release), image_of(release))

    assert failure.value.reason is Reason.START_FAILED


@pytest.mark.parametrize("instance", ["another", None])
async def test_a_container_of_that_name_is_replaced_if_it_is_our_own(
    parts: FakeParts, instance: str | None
) -> None:
    """As after a restore from a backup, where another deployment had the sequence."""
    release = migrating(parts)
    step, image = parts.step(release), image_of(release)
    name = parts.installation.names.release_container("shop", 1)
    await parts.release_command._start(step, image)
    labels = dict((await parts.engine.containers({}))[0].labels)
    parts.engine.change(
        name,
        labels=labels | {DEPLOYMENT: "dep_lost", INSTANCE: instance or labels[INSTANCE]},
    )

    if instance:
        with pytest.raises(StepFailed, match="belongs to another installation"):
            await parts.release_command._start(step, image)
        return
    assert await parts.release_command._start(step, image) == name
    assert (await parts.engine.containers({}))[0].labels[DEPLOYMENT] == "dep_1"
