"""The variable `PORT`, when an application brings its own."""

import pytest

from aweigh.images.facts import ImageFacts, exposed_port
from tests.support.installation import settings_of


@pytest.mark.parametrize(
    ("told", "port"),
    [("3000", 3000), ("0", 8000), ("65536", 8000), ("x", 8000), ("", 8000), ("\u0663", 8000)],
)
def test_a_variable_port_says_where_an_application_listens(told: str, port: int) -> None:
    image = ImageFacts(id="sha256:1", exposed_tcp=(8000,))

    assert exposed_port(settings_of(env={"PORT": told}), image) == port
