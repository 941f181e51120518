"""Which images run on a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aweigh.core.platform import Platform
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed

#: The kernel's message for a program of another platform, in logs and the engine's errors.
_EXEC_FORMAT: Final = "exec format error"


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
