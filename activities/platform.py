"""Images that this server cannot run are refused before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from aweigh.core.errors import StepFailed
from aweigh.deployments.deployment import Reason

if TYPE_CHECKING:
    from aweigh.images.platform import Platform
    from aweigh.images.reference import ImageReference
    from aweigh.servers.server import Server

#: What the kernel says of a program that it cannot run, in logs and in the engine's errors.
_EXEC_FORMAT: Final = "exec format error"


def refuse_foreign(
    server: Server, image: ImageReference | str, platforms: Sequence[Platform]
) -> None:
    """Refuse an image of other platforms than this server's.

    Raises:
        StepFailed: `image_unsupported`.
    """
    if not platforms or server.platforms.run_any(platforms):
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
        f"{image} is for {written}; server {server.name} is {server.platforms.own}. Build the "
        f"image for {server.platforms.own} too; if the server emulates another platform, name it "
        "in AWEIGH_PLATFORMS of its server worker.",
    )


def foreign_program(server: Server, said: str, *, image: str) -> StepFailed | None:
    """The failure behind what a container, or the engine, said; None: it is another one."""
    if _EXEC_FORMAT not in said.lower():
        return None
    return StepFailed(
        Reason.IMAGE_UNSUPPORTED,
        f"The program of {image} cannot run on server {server.name} ({_EXEC_FORMAT}): it is for "
        f"another platform than {server.platforms.own}, or a script without its first line (#!). "
        "Build the image for that platform, or correct the script.",
    )
