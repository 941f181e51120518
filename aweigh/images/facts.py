"""The facts in an image's configuration, and what they mean for an application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aweigh.core.platform import (
    UNSAID,
    Platform,
)
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import GitSource

#: The port of an application that was built, unless it sets another one.
BUILT_PORT: Final = 8080


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """The facts in an image's configuration."""

    id: str
    digests: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exposed_tcp: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_health_check: bool = False
    #: How many seconds the image's HEALTHCHECK may take until it reports failure.
    health_seconds: float = 0
    has_command: bool = True
    #: The image's `USER`, as written in its configuration.
    user: str = ""
    size: int = 0
    #: When the image got its latest name.
    named_at: datetime | None = None
    platform: Platform = UNSAID

    def digests_in(self, wanted: ImageReference) -> tuple[str, ...]:
        """Return the known digests of this image in the reference's own repository.

        Repositories are compared in full form, because the engine abbreviates them. Digests in
        other repositories may differ.
        """
        names = (name.rpartition("@") for name in self.digests)
        return tuple(
            digest
            for repository, _, digest in names
            if ImageReference(repository=repository).full_repository == wanted.full_repository
        )

    def digest_in(self, wanted: ImageReference) -> str | None:
        """Return one of the digests, or None: any of them can be pulled."""
        return next(iter(self.digests_in(wanted)), None)


def exposed_port(settings: ApplicationSettings, image: ImageFacts) -> int | None:
    """Return the port the application listens on: the configured one, else the only one exposed.

    The variable `PORT` configures it too. An image by Buildpacks exposes no port: its application
    listens on `PORT`.
    """
    if port := settings.port or _told_port(settings):
        return port
    if isinstance(settings.source, GitSource) and not image.exposed_tcp:
        return BUILT_PORT
    return image.exposed_tcp[0] if len(image.exposed_tcp) == 1 else None


def _told_port(settings: ApplicationSettings) -> int | None:
    told = settings.env["PORT"].text if "PORT" in settings.env else ""
    is_port = told.isascii() and told.isdecimal() and len(told) <= 5 and 0 < int(told) < 65_536
    return int(told) if is_port else None
