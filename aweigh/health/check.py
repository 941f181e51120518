"""The health check of a release: its choice, its deadline and its result."""

import math
from dataclasses import dataclass
from typing import Final

from aweigh.deployments.application import LONGEST_GATE, ApplicationSettings, HealthCheck
from aweigh.images.facts import ImageFacts

#: The default deadline in seconds, unless the application or its image sets a longer one.
SHORTEST_GATE: Final = 60


@dataclass(frozen=True)
class ProbeResult:
    """The result of one probe, described for people."""

    healthy: bool
    what: str


def chosen_check(settings: ApplicationSettings, image: ImageFacts, port: int | None) -> HealthCheck:
    """Return the configured check, or else the best one this image allows."""
    if settings.health_check:
        return settings.health_check
    if image.has_health_check:
        return HealthCheck(type="image")
    return HealthCheck(type="tcp") if port else HealthCheck(type="uptime")


def deadline_of(check: HealthCheck, image: ImageFacts) -> int:
    """Return the seconds within which a container must become healthy.

    Without a configured deadline, the time that the image's HEALTHCHECK allows for starting counts,
    even if another check is used.
    """
    # An uptime check takes as long as configured; a shorter deadline would always fail.
    least = check.seconds if check.type == "uptime" else 0
    if check.deadline:
        return max(check.deadline, least)
    return max(SHORTEST_GATE, least, min(math.ceil(image.health_seconds), LONGEST_GATE))
