"""The health gate: which check is asked, and what it saw."""

from dataclasses import dataclass

from aweigh.domain.application import ApplicationSettings, HealthCheck
from aweigh.domain.container import ImageFacts


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
