"""What the engine says of an image, read by us."""

import docker
import pytest

from aweigh.engine.engine import Engine
from aweigh.images.images import Images
from examples.demo.context import build_image
from tests.support.images import temporary_repository

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ("--start-period=180s --interval=10s --timeout=5s --retries=4 CMD /x", 185 + 4 * (10 + 5)),
        ("--interval=1500ms --timeout=1s --retries=1 CMD /x", 2.5),
        ("--retries=5 CMD /x", 5 * (30 + 30)),
        ("CMD /x", 3 * (30 + 30)),
        ("NONE", 0),
    ],
)
async def test_an_image_tells_how_long_its_check_takes_to_give_up(
    engine: docker.DockerClient, options: str, seconds: float
) -> None:
    images = Images(Engine("unix:///var/run/docker.sock"))
    with temporary_repository(engine) as repository:
        dockerfile = f'FROM scratch\nCMD ["/x"]\nHEALTHCHECK {options}\n'
        build_image(engine, f"{repository}:v1", {"Dockerfile": dockerfile.encode()})

        found = await images.find(f"{repository}:v1")

    assert found is not None
    assert (found.has_health_check, found.health_seconds) == (bool(seconds), seconds)
    assert str(found.platform).startswith("linux/")
