"""Which builder the demo takes."""

import json
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from aweigh.core.errors import AweighError
from aweigh.deployments.build_settings import DEFAULT_BUILDER
from aweigh.engine.engine import Engine
from aweigh.images.images import Images
from examples.demo.builder import choice
from examples.demo.names import DemoImages
from tests.support.http import said, serving

VERSION = said(200, '{"ApiVersion": "1.44"}')


def is_here(head: str) -> bytes:
    if head.startswith("GET /version "):
        return VERSION
    return said(200, json.dumps({"Id": "sha256:a"})) if "/images/" in head else b""


def can_be_pulled(head: str) -> bytes:
    if "/distribution/" in head:
        return said(200, json.dumps({"Descriptor": {"digest": "sha256:a"}}))
    return VERSION if head.startswith("GET /version ") else said(404, '{"message": "none"}')


def is_nowhere(head: str) -> bytes:
    return VERSION if head.startswith("GET /version ") else said(404, '{"message": "none"}')


async def chosen(answer: Callable[[str], bytes], lifecycle: Path) -> choice.Chosen:
    async with serving(answer) as engine:
        host = f"tcp://127.0.0.1:{engine.port}"
        client = docker.DockerClient(host, version="1.44")
        images = Images(Engine(host))
        try:
            return await choice.choose_builder(
                client, images, DemoImages("a"), lifecycle, lambda _: None
            )
        finally:
            client.close()


@pytest.mark.parametrize("answer", [is_here, can_be_pulled])
async def test_the_default_builder_is_taken_where_it_can_be_had(
    answer: Callable[[str], bytes], tmp_path: Path
) -> None:
    found = await chosen(answer, tmp_path)

    assert (found.builder, found.python) == (DEFAULT_BUILDER, "python")


async def test_what_keeps_a_small_one_from_being_made_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "environment.sh"
    broken.write_text("echo 'aweigh: Go could not be installed' >&2; exit 1\n")
    monkeypatch.setattr(choice, "_ENVIRONMENT", broken)

    with pytest.raises(AweighError, match="made: aweigh: Go could not be installed"):
        await chosen(is_nowhere, tmp_path / "lifecycle")
