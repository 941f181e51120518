"""Which health check is asked."""

from typing import Any

import pytest

from aweigh.deployments.application import HealthCheck
from aweigh.health.check import chosen_check, deadline_of
from aweigh.images.facts import ImageFacts
from tests.support.installation import settings_of

PLAIN = ImageFacts(id="sha256:1")
CHECKED = ImageFacts(id="sha256:1", has_health_check=True)


@pytest.mark.parametrize(
    ("image", "port", "chosen"),
    [
        (PLAIN, None, "uptime"),
        (PLAIN, 8000, "tcp"),
        (CHECKED, None, "image"),
        (CHECKED, 8000, "image"),
    ],
)
def test_without_a_setting_the_best_check_that_the_image_allows_is_asked(
    image: ImageFacts, port: int | None, chosen: str
) -> None:
    assert chosen_check(settings_of(), image, port).type == chosen


def test_the_check_that_was_set_is_asked() -> None:
    settings = settings_of(health_check={"type": "http", "path": "/up"})

    assert chosen_check(settings, CHECKED, 8000) is settings.health_check


@pytest.mark.parametrize(
    ("check", "image_seconds", "deadline"),
    [
        ({"type": "tcp"}, 0, 60),
        ({"type": "image"}, 0.8, 60),
        ({"type": "image"}, 270.5, 271),
        ({"type": "http"}, 270, 270),
        ({"type": "image"}, 90_000, 3600),
        ({"type": "image", "deadline": 5}, 270, 5),
        ({"type": "image", "deadline": 600}, 270, 600),
        ({"type": "uptime", "seconds": 90}, 0, 90),
        ({"type": "uptime", "seconds": 90, "deadline": 5}, 0, 90),
    ],
)
def test_a_gate_is_given_what_was_set_else_what_its_image_needs(
    check: dict[str, Any], image_seconds: float, deadline: int
) -> None:
    image = ImageFacts(id="sha256:1", health_seconds=image_seconds)

    assert deadline_of(HealthCheck(**check), image) == deadline
