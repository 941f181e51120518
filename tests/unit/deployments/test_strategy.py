"""How a release replaces the live one."""

from typing import Any

import pytest

from aweigh.deployments.application import Strategy, chosen_strategy
from tests.support.installation import settings_of

PORTS = [{"host": 8080, "container": 80}]
DOMAINS = [{"host": "a.b"}]
WRITABLE = {"source": "data", "target": "/data"}
READ_ONLY = WRITABLE | {"read_only": True}
EXCLUSIVE = WRITABLE | {"exclusive": True}


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({}, Strategy.ROLLING),
        ({"domains": DOMAINS}, Strategy.ROLLING),
        ({"ports": PORTS}, Strategy.RECREATE),
        ({"ports": PORTS, "domains": DOMAINS}, Strategy.RECREATE),
        ({"volumes": [WRITABLE]}, Strategy.RECREATE),
        ({"volumes": [WRITABLE], "domains": DOMAINS}, Strategy.ROLLING),
        ({"volumes": [READ_ONLY]}, Strategy.ROLLING),
        ({"volumes": [READ_ONLY, WRITABLE | {"target": "/b"}]}, Strategy.RECREATE),
        ({"volumes": [EXCLUSIVE]}, Strategy.RECREATE),
        ({"volumes": [EXCLUSIVE], "domains": DOMAINS}, Strategy.RECREATE),
        ({"volumes": [READ_ONLY | {"exclusive": True}], "domains": DOMAINS}, Strategy.RECREATE),
        ({"strategy": "rolling", "volumes": [WRITABLE]}, Strategy.ROLLING),
        ({"strategy": "recreate", "domains": DOMAINS}, Strategy.RECREATE),
    ],
)
def test_auto_recreates_where_two_at_a_time_would_be_wrong(
    fields: dict[str, Any], chosen: Strategy
) -> None:
    assert chosen_strategy(settings_of(**fields)) is chosen
