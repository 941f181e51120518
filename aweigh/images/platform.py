"""Platforms: what an image is made for, and what a server runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from aweigh.core.errors import StepFailed
from aweigh.deployments.deployment import Reason

_WRITTEN: Final = re.compile(r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(/[a-z0-9.]{1,20})?")
#: Kinds of machines by what they run beside their own programs, as the engine chooses images.
_ALSO_RUNS: Final[Mapping[str, str]] = {"amd64": "386", "arm64": "arm"}
#: What tools write where there is no platform: of an attestation, or any other artefact.
_NONE: Final = "unknown"
#: What the kernel says of a program that it cannot run, in logs and in the engine's errors.
_EXEC_FORMAT: Final = "exec format error"


@dataclass(frozen=True)
class Platform:
    """An operating system and a kind of machine, as Go and Docker name them."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """`linux/arm64`, `linux/arm/v7`.

        Raises:
            ValueError: it is not a platform.
        """
        if not _WRITTEN.fullmatch(text):
            raise ValueError(f"{text!r} is not a platform such as linux/arm64")
        return cls(*text.split("/"))

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def is_artefact(self) -> bool:
        """Whether it says that there is nothing to run."""
        return _NONE in (self.os, self.architecture)

    def runs(self, image: "Platform") -> bool:
        """Whether its machines run such an image; one that does not say what it is for may run.

        Variants are left to the machine: the engine does not tell which it is.
        """
        if image.is_artefact:
            return False
        kinds = ("", self.architecture, _ALSO_RUNS.get(self.architecture))
        return image.os in ("", self.os) and image.architecture in kinds


#: Of an image that does not say what it is for.
UNSAID: Final = Platform("", "")


@dataclass(frozen=True, kw_only=True)
class ServerPlatforms:
    """What a server runs: its engine's own platform, and those that it emulates."""

    server: str
    own: Platform
    emulated: tuple[Platform, ...] = ()

    def run(self, image: Platform) -> bool:
        return any(one.runs(image) for one in (self.own, *self.emulated))

    def refuse_foreign(self, image: object, platforms: Sequence[Platform]) -> None:
        """Refuse an image that exists for other platforms only.

        Raises:
            StepFailed: `image_unsupported`.
        """
        if not platforms or any(map(self.run, platforms)):
            return
        if all(one.is_artefact for one in platforms):
            raise StepFailed(
                Reason.IMAGE_UNSUPPORTED,
                f"{image} is no container image but another artefact: it is for no platform. "
                "Deploy the tag of the image itself.",
            )
        written = ", ".join(str(one) for one in platforms if not one.is_artefact)
        raise StepFailed(
            Reason.IMAGE_UNSUPPORTED,
            f"{image} is for {written}; server {self.server} is {self.own}. Build the image for "
            f"{self.own} too; if the server emulates another platform, name it in "
            "AWEIGH_PLATFORMS of its server worker.",
        )

    def foreign_program(self, output: str, *, image: str) -> StepFailed | None:
        """The failure behind what a container or the engine printed; None: it is another one."""
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


#: In settings, as it is written there.
WrittenPlatform = Annotated[Platform, BeforeValidator(_parsed)]
