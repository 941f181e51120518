from __future__ import annotations

import docker
import httpx2
import pytest

from examples.demo.image import base_image, make_image
from tests.integration.examples.conftest import StartContainer
from tests.support.images import Variant, make_variant

pytestmark = pytest.mark.docker


def test_a_container_of_the_image_answers_with_its_version(
    client: docker.DockerClient, repository: str, start_container: StartContainer, port: int
) -> None:
    environment = {"NAME": "shop", "VERSION": "v1"}
    make_image(client, repository=repository, tag="shop", environment=environment)

    start_container(f"{repository}:shop", port=port)

    answer = httpx2.get(f"http://127.0.0.1:{port}/")
    assert answer.text == "shop v1\n"
    assert answer.headers["X-Version"] == "v1"


def test_a_container_stops_at_once_and_gracefully(
    client: docker.DockerClient, repository: str, start_container: StartContainer, port: int
) -> None:
    make_image(client, repository=repository, tag="v1", environment={"VERSION": "v1"})
    container = start_container(f"{repository}:v1", port=port)

    container.stop(timeout=60)

    assert container.wait()["StatusCode"] == 0
    assert "v1: stops" in container.logs().decode()


def test_an_application_that_exits_hands_its_code_to_the_engine(
    client: docker.DockerClient, repository: str, start_container: StartContainer
) -> None:
    make_image(client, repository=repository, tag="broken", environment={"EXIT_CODE": "3"})

    container = start_container(f"{repository}:broken")

    assert container.wait()["StatusCode"] == 3
    assert "cannot start" in container.logs(stdout=False, stderr=True).decode()


def test_versions_share_one_layer_and_equal_images_are_one(
    client: docker.DockerClient, repository: str
) -> None:
    ids = [
        make_image(client, repository=repository, tag=tag, environment={"VERSION": version})
        for tag, version in (("one", "v1"), ("same", "v1"), ("other", "v2"))
    ]

    assert ids[0] == ids[1] != ids[2]
    layers = [client.images.get(image).attrs["RootFS"]["Layers"] for image in ids]
    assert layers[0] == layers[2] == client.images.get(base_image(client)).attrs["RootFS"]["Layers"]


def test_values_arrive_as_they_were_given(client: docker.DockerClient, repository: str) -> None:
    text = r"""two words, "quotes", it's $HOME, ${HOME}, back\slash, `ticks` # and = more"""

    image = make_image(
        client, repository=repository, tag="text", environment={"TEXT": text}, labels={"text": text}
    )

    config = client.images.get(image).attrs["Config"]
    assert f"TEXT={text}" in config["Env"]
    assert config["Labels"] == {"text": text}
    assert config["User"] == "65534"
    assert config["ExposedPorts"] == {"8000/tcp": {}}


@pytest.mark.parametrize(
    ("variant", "key", "expected"),
    [
        (Variant.PLAIN, "ExposedPorts", {"8000/tcp": {}}),
        (Variant.NO_PORT, "ExposedPorts", None),
        (Variant.TWO_PORTS, "ExposedPorts", {"8000/tcp": {}, "9000/tcp": {}}),
        (Variant.VOLUME, "Volumes", {"/data": {}}),
        (Variant.TRAEFIK_LABELS, "Labels", Variant.TRAEFIK_LABELS.value.labels),
    ],
)
def test_a_variant_has_its_peculiarity(
    client: docker.DockerClient, repository: str, variant: Variant, key: str, expected: object
) -> None:
    image = make_variant(client, variant, repository=repository, tag=variant.name.lower())

    assert client.images.get(image).attrs["Config"].get(key) == expected


def test_an_image_without_a_command_cannot_become_a_container(
    client: docker.DockerClient, repository: str
) -> None:
    image = make_variant(client, Variant.NO_COMMAND, repository=repository, tag="no-command")

    with pytest.raises(docker.errors.APIError, match="No command specified"):
        client.containers.create(image)


@pytest.mark.parametrize(("unhealthy", "health"), [("0", "healthy"), ("1", "unhealthy")])
def test_a_healthcheck_tells_the_health(
    client: docker.DockerClient,
    repository: str,
    start_container: StartContainer,
    unhealthy: str,
    health: str,
) -> None:
    image = make_variant(
        client,
        Variant.HEALTHCHECK,
        repository=repository,
        tag=health,
        environment={"UNHEALTHY": unhealthy},
    )

    container = start_container(image)

    container.reload()
    while container.attrs["State"]["Health"]["Status"] == "starting":
        container.reload()
    assert container.attrs["State"]["Health"]["Status"] == health
