"""What is said of settings that are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from aweigh.core.model import place_of
from aweigh.deployments.application import ApplicationSettings


def refusals(**fields: Any) -> dict[str, str]:
    """What is wrong with settings, by field."""
    source = {"type": "image", "image": "acme/shop"}
    with pytest.raises(ValidationError) as caught:
        ApplicationSettings.model_validate({"source": source} | fields)
    return {
        place_of(error["loc"]): error["msg"].removeprefix("Value error, ")
        for error in caught.value.errors()
    }
