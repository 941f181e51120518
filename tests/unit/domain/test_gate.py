"""Which health check is asked."""

import pytest

from aweigh.domain.container import ImageFacts
from aweigh.domain.gate import chosen_check
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
