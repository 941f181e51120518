"""What the demo's stack may, beside what is set, and what a purge removes of the demo."""

import json
from pathlib import Path

from aweigh.builds.buildpacks.builder import is_trusted
from aweigh.core.settings import Settings
from aweigh.deployments.image_reference import ImageReference
from aweigh.engine.naming import Names
from examples.demo.__main__ import allowances
from examples.demo.names import DemoImages
from examples.demo.repository import Repository

REPOSITORY = Repository(Path("/nowhere"), "demo", 40123)


def test_one_port_is_opened_beside_what_is_set() -> None:
    settings = Settings.model_validate({"private_targets": ["10.0.0.0/8"]})

    allowed = allowances(settings, REPOSITORY)

    assert json.loads(allowed["AWEIGH_PRIVATE_TARGETS"]) == ["10.0.0.0/8", "127.0.0.1:40123"]


def test_one_builder_is_trusted_beside_what_is_set() -> None:
    settings = Settings(prefix="acme", trusted_builders=("heroku/builder",))

    trusted = json.loads(allowances(settings, REPOSITORY)["AWEIGH_TRUSTED_BUILDERS"])

    assert trusted[0] == "heroku/builder"
    assert len(trusted) == 2
    made_here = f"{DemoImages('acme').builder}:builder"
    assert is_trusted(ImageReference.parse(made_here), trusted)
    assert not is_trusted(ImageReference.parse(made_here), settings.trusted_builders)


def test_images_of_the_demo_belong_to_the_installation() -> None:
    images = DemoImages("acme")

    for repository in (images.application, images.base, images.builder):
        assert Names("acme").owns_image(f"{repository}:v1")
        assert not Names("acm").owns_image(f"{repository}:v1")
