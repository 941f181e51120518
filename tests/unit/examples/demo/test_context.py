"""Images from a Dockerfile, on an engine whose cache others clear."""

from typing import Any
from unittest.mock import MagicMock

import pytest
from docker.errors import BuildError

from examples.demo.context import build_image

GONE = BuildError('unable to find image "sha256:0"', iter(()))
FILES = {"Dockerfile": b"FROM scratch"}


def engine(*answers: Any) -> MagicMock:
    client = MagicMock()
    client.images.build.side_effect = answers
    return client


def test_a_layer_that_went_meanwhile_is_made_again() -> None:
    client = engine(GONE, ("image", []))

    assert build_image(client, "demo:1", FILES) == "image"


@pytest.mark.parametrize("error", [BuildError("exit code 1", iter(())), None])
def test_what_is_wrong_with_it_is_said(error: BuildError | None) -> None:
    client = engine(*[error or GONE] * 5, ("image", []))

    with pytest.raises(BuildError):
        build_image(client, "demo:1", FILES)
