"""What an application writes into its volumes is there for the next release."""

from collections.abc import Iterator

import docker
import pytest

from examples.demo.image import PYTHON, make_image
from tests.support.images import temporary_repository
from tests.support.outside import change, containers
from tests.support.programs import begins_with
from tests.support.stack import Stack

pytestmark = pytest.mark.docker

NOTES = 'open("/data/starts", "a").write("{}\\n"); open("/state/starts", "a").write("{}\\n")'


@pytest.fixture
def repository(engine: docker.DockerClient) -> Iterator[str]:
    root = ("USER 0", "VOLUME /data")  # new volumes belong to root
    with temporary_repository(engine) as name:
        make_image(engine, repository=name, tag="volume", environment={}, instructions=root)
        yield name


async def test_data_outlives_the_swap_in_volumes_of_the_application_and_of_the_image(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> None:
    source = {"type": "image", "image": repository, "tag": "volume"}
    app = await stack.create(
        "keeper", source, volumes=[{"source": "state", "target": "/state"}],
        **begins_with(NOTES.format("first", "first")),
    )  # fmt: skip
    await stack.deploy(app)
    await change(stack, app, **begins_with(NOTES.format("second", "second")))

    answer = await stack.deploy(app)

    assert answer.status_code == 200, answer.text

    [container] = containers(engine, stack.prefix, "keeper")
    for path in ("/data/starts", "/state/starts"):
        read = container.exec_run([PYTHON, "-c", f"print(open({path!r}).read())"])
        assert isinstance(read.output, bytes)
        assert read.output.decode().split() == ["first", "second"]
    mounted = {mount["Destination"]: mount["Name"] for mount in container.attrs["Mounts"]}
    own = engine.volumes.list(filters={"name": f"{stack.prefix}-keeper_"})
    assert sorted(mounted.values()) == sorted(volume.name for volume in own)
    assert sorted(mounted) == ["/data", "/state"]
