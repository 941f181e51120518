"""What was built is loaded into the engine for as long as there is room."""

import os
import secrets
import threading
from collections.abc import Iterator

import pytest

from aweigh.builds.dockerfile.buildkit import watched
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.engine import Engine

pytestmark = pytest.mark.docker


async def test_a_load_ends_with_what_is_said_of_it() -> None:
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        assert threading.current_thread() is not threading.main_thread()
        if looked == 3:
            raise StepFailed(Reason.DISK_FULL, "there is no room")

    def endless() -> Iterator[bytes]:
        while True:
            yield os.urandom(1024)

    with pytest.raises(StepFailed, match="there is no room"):
        await Engine("unix:///var/run/docker.sock").call(
            f"load {secrets.token_hex(4)}",
            lambda c: list(c.load_image(watched(endless(), look))),  # type: ignore[no-untyped-call]
        )

    assert looked == 3
