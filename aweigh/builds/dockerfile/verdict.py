"""Interprets the last lines of BuildKit's output.

BuildKit's exit code is always 1, so its messages are matched.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aweigh.core.text import one_line
from aweigh.deployments.deployment import Reason

_LAST_WORDS: Final = re.compile(r"error: failed to solve: (?P<words>.*)")
_STEP_FAILED: Final = re.compile(
    r"process \"(?P<command>.*)\" did not complete successfully: exit code: (?P<code>\d+)"
)
_BASE_IMAGE: Final = re.compile(r"(?P<image>\S+): failed to (?:resolve|do|copy|authorize|fetch)")


@dataclass(frozen=True)
class DockerfileVerdict:
    """Why a build failed; it is retried unless the verdict is `final`."""

    reason: Reason
    message: str
    final: bool = True


OUT_OF_MEMORY: Final = DockerfileVerdict(
    Reason.OUT_OF_MEMORY, "The build exceeded its memory limit; raise `build.limits.memory`."
)
#: The exit code of a shell whose child got SIGKILL: in a container only the kernel sends it, for
#: lack of memory. The engine does not always notice before the container ends.
_KILLED: Final = "137"
_IN_THE_LOG: Final = "The last lines are in the deployment's log."
_REGISTRY: Final[tuple[tuple[str, Reason, bool, str], ...]] = (
    # pattern, reason, final, advice
    (r"toomanyrequests|429 too many", Reason.RATE_LIMITED, False,
     "its registry limits the rate of requests; wait, then retry"),
    # Before "unauthorized": Docker Hub reports both for an image that does not exist.
    (r"repository does not exist|pull access denied|not found|manifest unknown|name unknown",
     Reason.IMAGE_NOT_FOUND, True,
     "it does not exist in its registry, or is private; check FROM, COPY --from and `# syntax`"),
    (r"unauthorized|authorization failed|insufficient_scope|\bdenied\b|forbidden",
     Reason.REGISTRY_AUTH, True,
     "its registry requires authentication; base images of a Dockerfile build must be public"),
    (r"no match for platform", Reason.IMAGE_NOT_FOUND, True,
     "it does not exist for this server's platform"),
    (r"", Reason.REGISTRY_UNAVAILABLE, False,
     "its registry cannot be reached from the build network, which allows the public internet and "
     "AWEIGH_BUILD_NETWORKS; check that it runs, then retry"),
)  # fmt: skip
_DOCKERFILE: Final[tuple[tuple[str, Reason, str], ...]] = (
    (r"dockerfile parse error|the Dockerfile cannot be empty|file with no instructions",
     Reason.DOCKERFILE_INVALID, "correct it"),
    (r"target stage .* could not be found", Reason.DOCKERFILE_INVALID,
     "change `build.target`, or give a stage this name"),
    (r"failed to read dockerfile", Reason.DOCKERFILE_NOT_FOUND, "change `build.dockerfile`"),
    (r"no space left on device", Reason.DISK_FULL, "free some space, then retry"),
    (r"secret .*not found", Reason.BUILD_FAILED, "give it in `build.secrets`"),
    (r": not found$", Reason.BUILD_FAILED,
     "commit the file, or take it out of the .dockerignore; `subdirectory` is the context"),
)  # fmt: skip


def dockerfile_verdict(lines: Sequence[str]) -> DockerfileVerdict:
    """Return why a build ended with these last lines and no image."""
    found = [match["words"] for line in lines if (match := _LAST_WORDS.match(line))]
    if not found:
        return DockerfileVerdict(
            Reason.BUILD_FAILED,
            f"BuildKit failed without an error message. {_IN_THE_LOG}",
            final=False,
        )
    return _of_words(found[-1])


def _of_words(words: str) -> DockerfileVerdict:
    if step := _STEP_FAILED.search(words):
        if step["code"] == _KILLED:
            return OUT_OF_MEMORY
        command = one_line(step["command"], 200)
        message = f"`{command}` ended with exit code {step['code']}. {_IN_THE_LOG}"
        return DockerfileVerdict(Reason.BUILD_FAILED, message)
    said = one_line(words)
    if "failed to resolve source metadata" in words or "failed to authorize" in words:
        return _of_base_image(said)
    for pattern, reason, advice in _DOCKERFILE:
        if re.search(pattern, words):
            return DockerfileVerdict(reason, f"The Dockerfile: {said}. What to do: {advice}.")
    return DockerfileVerdict(Reason.BUILD_FAILED, f"BuildKit: {said}. {_IN_THE_LOG}")


def _of_base_image(said: str) -> DockerfileVerdict:
    image = found["image"] if (found := _BASE_IMAGE.search(said)) else ""
    # Without image names, which could contain words of the patterns.
    words = (word for word in said.split() if "/" not in word and word.rstrip(":") != image)
    own = " ".join(words).lower()
    for pattern, reason, final, advice in _REGISTRY:
        if re.search(pattern, own):
            what = f"Base image {image}" if image else "A base image"
            message = f"{what} cannot be pulled: {advice}. BuildKit's error: {said}"
            return DockerfileVerdict(reason, message, final)
    raise AssertionError("the last pattern matches everything")
