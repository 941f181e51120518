"""What an image says of itself, and what follows from it for an application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.source import GitSource
from aweigh.images.platform import UNSAID, Platform
from aweigh.images.reference import ImageReference

#: Where an application that was built listens, unless it says otherwise.
BUILT_PORT: Final = 8080


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What an image says of itself."""

    id: str
    digests: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exposed_tcp: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_health_check: bool = False
    #: How long the image's own check may take until it gives up.
    health_seconds: float = 0
    has_command: bool = True
    #: Its `USER`, as it is written there.
    user: str = ""
    size: int = 0
    #: When it was given a name last.
    named_at: datetime | None = None
    platform: Platform = UNSAID

    def digests_in(self, wanted: ImageReference) -> tuple[str, ...]:
        """The digests by which the reference's own repository has it, as far as is known here.

        The engine writes repositories in its own form, and another one's digest may be another.
        """
        names = (name.rpartition("@") for name in self.digests)
        return tuple(
            digest
            for repository, _, digest in names
            if ImageReference(repository=repository).full_repository == wanted.full_repository
        )

    def digest_in(self, wanted: ImageReference) -> str | None:
        """One of them: any can be pulled."""
        return next(iter(self.digests_in(wanted)), None)


def exposed_port(settings: ApplicationSettings, image: ImageFacts) -> int | None:
    """The port the application listens on: as set, else the only one its image exposes.

    A variable `PORT` sets it too. An image by buildpacks exposes none: its application listens
    where `PORT` says.
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
