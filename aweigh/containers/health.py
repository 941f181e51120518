"""The health gate: which check is asked, and what it saw."""

import math
from dataclasses import dataclass
from typing import Final

from aweigh.deployments.application import LONGEST_GATE, ApplicationSettings, HealthCheck
from aweigh.images.facts import ImageFacts

#: Seconds that a gate is given where neither the application nor its image says more.
SHORTEST_GATE: Final = 60


@dataclass(frozen=True)
class Seen:
    """What one probe saw, in words a person can use."""

    healthy: bool
    what: str


def chosen_check(settings: ApplicationSettings, image: ImageFacts, port: int | None) -> HealthCheck:
    """The check that was set, else the best one this image allows."""
    if settings.health_check:
        return settings.health_check
    if image.has_health_check:
        return HealthCheck(type="image")
    return HealthCheck(type="tcp") if port else HealthCheck(type="uptime")


def deadline_of(check: HealthCheck, image: ImageFacts) -> int:
    """The seconds within which a container must be healthy: as set, else as its image needs.

    An image that is given time to start by its own check needs it, whichever check is asked.
    """
    # Staying up takes as long as it takes: a deadline could only end it too early.
    least = check.seconds if check.type == "uptime" else 0
    if check.deadline:
        return max(check.deadline, least)
    return max(SHORTEST_GATE, least, min(math.ceil(image.health_seconds), LONGEST_GATE))
