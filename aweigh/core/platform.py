"""Platforms: operating system and architecture, with Docker's names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_WRITTEN: Final = re.compile(r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(/[a-z0-9.]{1,20})?")
#: Architectures that also run another one's programs, as the engine chooses images.
_ALSO_RUNS: Final[Mapping[str, str]] = {"amd64": "386", "arm64": "arm"}
#: The placeholder for artefacts without a platform, such as attestations.
_NONE: Final = "unknown"


@dataclass(frozen=True)
class Platform:
    """An operating system and an architecture, with Go's and Docker's names."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Parse `linux/arm64` or `linux/arm/v7`.

        Raises:
            ValueError: the text is not a platform.
        """
        if not _WRITTEN.fullmatch(text):
            raise ValueError(f"{text!r} is not a platform such as linux/arm64")
        return cls(*text.split("/"))

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def is_artefact(self) -> bool:
        """Whether this is the platform of an artefact, which cannot be run."""
        return _NONE in (self.os, self.architecture)

    def runs(self, image: "Platform") -> bool:
        """Whether machines of this platform run such an image; an image without a platform may run.

        Variants are not compared: the engine does not report the machine's.
        """
        if image.is_artefact:
            return False
        kinds = ("", self.architecture, _ALSO_RUNS.get(self.architecture))
        return image.os in ("", self.os) and image.architecture in kinds


#: The platform of an image that declares none.
UNSAID: Final = Platform("", "")


def _parsed(given: Any) -> Any:
    return Platform.parse(given) if isinstance(given, str) else given


#: The type of a setting that is given as text.
WrittenPlatform = Annotated[Platform, BeforeValidator(_parsed)]
