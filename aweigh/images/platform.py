"""Platforms of images and servers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from aweigh.core.errors import StepFailed
from aweigh.deployments.deployment import Reason

_WRITTEN: Final = re.compile(r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(/[a-z0-9.]{1,20})?")
#: Architectures that also run another one's programs, as the engine chooses images.
_ALSO_RUNS: Final[Mapping[str, str]] = {"amd64": "386", "arm64": "arm"}
#: The placeholder for artefacts without a platform, such as attestations.
_NONE: Final = "unknown"
#: The kernel's message for a program of another platform, in logs and the engine's errors.
_EXEC_FORMAT: Final = "exec format error"


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


@dataclass(frozen=True, kw_only=True)
class ServerPlatforms:
    """The platforms a server runs: its engine's own, and those that it emulates."""

    server: str
    own: Platform
    emulated: tuple[Platform, ...] = ()

    def run(self, image: Platform) -> bool:
        return any(one.runs(image) for one in (self.own, *self.emulated))

    def refuse_foreign(self, image: object, platforms: Sequence[Platform]) -> None:
        """Reject an image that exists only for other platforms.

        Raises:
            StepFailed: `image_unsupported`.
        """
        if not platforms or any(map(self.run, platforms)):
            return
        if all(one.is_artefact for one in platforms):
            raise StepFailed(
                Reason.IMAGE_UNSUPPORTED,
                f"{image} is not a container image but another artefact, without a platform. "
                "Deploy the tag of the image.",
            )
        written = ", ".join(str(one) for one in platforms if not one.is_artefact)
        raise StepFailed(
            Reason.IMAGE_UNSUPPORTED,
            f"{image} is for {written}; server {self.server} is {self.own}. Build the image for "
            f"{self.own} too; if the server emulates another platform, name it in "
            "AWEIGH_PLATFORMS of its server worker.",
        )

    def foreign_program(self, output: str, *, image: str) -> StepFailed | None:
        """Return the failure if the output shows a program of another platform, else None."""
        if _EXEC_FORMAT not in output.lower():
            return None
        return StepFailed(
            Reason.IMAGE_UNSUPPORTED,
            f"The program of {image} cannot run on server {self.server} ({_EXEC_FORMAT}): it is "
            f"for another platform than {self.own}, or a script without its first line (#!). "
            "Build the image for that platform, or correct the script.",
        )


def _parsed(given: Any) -> Any:
    return Platform.parse(given) if isinstance(given, str) else given


#: The type of a setting that is given as text.
WrittenPlatform = Annotated[Platform, BeforeValidator(_parsed)]
