"""Containers of an application, as its settings make them."""

from typing import Any

from aweigh.containers.spec import (
    release_command_spec,
    replica_spec,
)
from aweigh.deployments.release import Image, Release
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts, exposed_port
from aweigh.routing.route import Routing
from tests.support.installation import settings_of

NAMES = Names("aweigh")
IMAGE = ImageFacts(id="sha256:1", exposed_tcp=(8000,))


def release_of(**fields: Any) -> Release:
    return Release(
        deployment="dep_1", application="app_1", slug="shop", server="local", sequence=7,
        image=Image(reference="a", id="sha256:1"), settings=settings_of(**fields),
    )  # fmt: skip


def replica(
    image: ImageFacts = IMAGE, *, certificates: bool = False, **fields: Any
) -> ContainerSpec:
    release = release_of(**fields)
    return replica_spec(
        instance="0123456789abcdef", names=NAMES, release=release, image=image, replica=1,
        address="10.201.1.0", port=exposed_port(release.settings, image),
        routing=Routing(certificates=certificates),
    )  # fmt: skip


def release_command(image: ImageFacts = IMAGE, **fields: Any) -> ContainerSpec:
    return release_command_spec(
        instance="0123456789abcdef", names=NAMES, release=release_of(**fields), image=image
    )
