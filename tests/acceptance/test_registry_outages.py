"""A registry that is away: asked again and again for about a minute, then given up."""

import asyncio
from typing import Any

import pytest

from tests.support.outside import ask, step
from tests.support.world import World, assert_says

pytestmark = pytest.mark.docker

#: What a deployment may take whose registry stays away: half a minute of attempts, and the swap.
RETRIED_SECONDS = 75


@pytest.mark.parametrize(
    ("outage", "reason", "advice"),
    [
        ("rate limited", "rate_limited", "wait, or give credentials"),
        ("unavailable", "registry_unavailable", "see that the registry runs"),
        ("silent", "registry_unavailable", "see that the registry runs"),
        ("down", "registry_unavailable", "see that the registry runs"),
        ("unknown", "registry_unavailable", "see that the registry runs"),
    ],
)
async def test_a_registry_that_is_away_is_asked_for_about_a_minute(
    world: World, outages: dict[str, asyncio.Task[Any]], outage: str, reason: str, advice: str
) -> None:
    failed, seconds = await outages[outage]

    assert_says(failed, reason, "/shop:v1 from ", advice)
    assert seconds < RETRIED_SECONDS
    assert (await step(world.stack, failed["id"], "pull"))["attempts"] > 2
    assert (await ask(world.stack, f"{failed['application']['name']}.localhost")).is_success
