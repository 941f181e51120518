"""Cloud Native Buildpacks: the metadata of a builder image, and the phases of a build.

Aweigh is the *platform* of the specification (https://github.com/buildpacks/spec, platform.md).
"""

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

import rtoml

from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.images.facts import ImageFacts

_METADATA: Final = "io.buildpacks.builder.metadata"
_LIFECYCLE_APIS: Final = "io.buildpacks.lifecycle.apis"
LIFECYCLE_VERSION: Final = "io.buildpacks.lifecycle.version"
#: Lifecycles that reject older engines (https://github.com/buildpacks/lifecycle/issues/1607).
_DEMANDING: Final = ((0, 21, 2), (0, 21, 7))
_DEMANDED_API: Final = (1, 44)
#: Versions of the platform API that the phases below support, preferred first.
PLATFORM_APIS: Final = ("0.14", "0.13", "0.12", "0.11", "0.10", "0.9", "0.8", "0.7")
#: From this version on, the restorer needs the engine and reads the run image from a file.
_RESTORER_SEES_ENGINE: Final = (0, 12)

WORKSPACE: Final = "/workspace"
LAYERS: Final = "/layers"
PLATFORM: Final = "/platform"
#: Where the builder writes the image's metadata for the exporter.
METADATA: Final = f"{LAYERS}/config/metadata.toml"
#: The directory from which the exporter reads the base image, the previous image and the origin of
#: the source. Untrusted code in the build can read it; it can write everything below `LAYERS`.
ANALYSIS: Final = "/analysis"
ANALYZED: Final = f"{ANALYSIS}/analyzed.toml"
PROJECT_METADATA: Final = f"{ANALYSIS}/project-metadata.toml"
CACHE: Final = "/cache"
LAUNCH_CACHE: Final = "/launch-cache"


class BuildPhase(StrEnum):
    """The phases of a build, in order."""

    ANALYZER = "analyzer"
    DETECTOR = "detector"
    RESTORER = "restorer"
    BUILDER = "builder"
    EXPORTER = "exporter"

    @property
    def number(self) -> int:
        """Return the position of the phase, counting from 1."""
        return list(BuildPhase).index(self) + 1

    @property
    def runs_untrusted_code(self) -> bool:
        """Whether the phase runs untrusted code, which must not see the engine."""
        return self in (BuildPhase.DETECTOR, BuildPhase.BUILDER)


@dataclass(frozen=True, kw_only=True)
class Builder:
    """The facts about a builder image that a build needs."""

    image: str
    user: int
    group: int
    platform_api: str
    run_image: str
    lifecycle: str

    @property
    def api(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.platform_api.split("."))

    def user_of(self, phase: BuildPhase) -> str:
        """Return `uid:gid` for a phase: root if it writes images; always the builder's group."""
        return f"{self.user if phase.runs_untrusted_code else 0}:{self.group}"

    def sees_engine(self, phase: BuildPhase) -> bool:
        if phase is BuildPhase.RESTORER:
            return self.api >= _RESTORER_SEES_ENGINE
        return not phase.runs_untrusted_code

    def arguments(
        self, phase: BuildPhase, image: str, process: str, previous: str = ""
    ) -> tuple[str, ...]:
        """Return the arguments of the phase's program.

        `image` is the name of the result; layers of the image `previous` are reused.
        """
        owner = ("-uid", str(self.user), "-gid", str(self.group))
        layers = ("-no-color", "-layers", LAYERS)
        guests = ("-app", WORKSPACE, *layers, "-platform", PLATFORM)
        daemon = ("-daemon",) if self.sees_engine(phase) else ()
        arguments: Mapping[BuildPhase, Sequence[str]] = {
            BuildPhase.ANALYZER: (
                *daemon, *owner, *layers, "-launch-cache", LAUNCH_CACHE,
                "-run-image", self.run_image,
                *(("-previous-image", previous) if previous else ()), image,
            ),
            BuildPhase.DETECTOR: guests,
            BuildPhase.RESTORER: (*daemon, *owner, *layers, "-cache-dir", CACHE),
            BuildPhase.BUILDER: guests,
            BuildPhase.EXPORTER: (
                *daemon, *owner, "-app", WORKSPACE, *layers, "-cache-dir", CACHE,
                "-launch-cache", LAUNCH_CACHE, "-process-type", process, image,
            ),
        }  # fmt: skip
        return tuple(arguments[phase])


def is_trusted(builder: ImageReference, trusted: Iterable[str]) -> bool:
    """Whether the builder's own lifecycle may use the engine: its repository matches a pattern."""
    patterns = (ImageReference(repository=one).full_repository for one in trusted)
    return any(fnmatchcase(builder.full_repository, pattern) for pattern in patterns)


def understands_engine(lifecycle: str, engine_api: str) -> bool:
    """Whether a lifecycle of this version works with an engine of this API version."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", lifecycle)[:3])
    demanding = _DEMANDING[0] <= numbers <= _DEMANDING[1]
    return not demanding or tuple(map(int, engine_api.split("."))) >= _DEMANDED_API


def read_lifecycle(facts: ImageFacts) -> set[str]:
    """Return the platform APIs that a lifecycle image supports.

    Raises:
        ValueError: the image is not a lifecycle image.
    """
    try:
        return _platform_apis({"apis": json.loads(facts.labels[_LIFECYCLE_APIS])})
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"is not a lifecycle image ({type(error).__name__}: {error})") from error


def read_builder(facts: ImageFacts, spoken: Container[str] = PLATFORM_APIS) -> Builder:
    """Read the metadata of a builder image.

    `spoken` are the platform APIs of the lifecycle that works with it.

    Raises:
        ValueError: the image is not a builder, or none of its platform APIs is supported.
    """
    try:
        metadata = json.loads(facts.labels[_METADATA])
        lifecycle = metadata["lifecycle"]
        user, group = int(facts.env["CNB_USER_ID"]), int(facts.env["CNB_GROUP_ID"])
        run_image = str(ImageReference.parse(_run_image(metadata)))
        offered = _platform_apis(lifecycle)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"is not a builder image ({type(error).__name__}: {error})") from error
    known = [version for version in PLATFORM_APIS if version in offered and version in spoken]
    if not known:
        offer = ", ".join(sorted(offered))
        raise ValueError(f"supports platform API {offer}; Aweigh supports {_KNOWN}")
    if user == 0 or group == 0:
        raise ValueError("builds as root, which is not allowed")
    return Builder(
        image=facts.id,
        user=user,
        group=group,
        platform_api=known[0],
        run_image=run_image,
        lifecycle=str(lifecycle.get("version", "")),
    )


_KNOWN: Final = f"{PLATFORM_APIS[-1]} to {PLATFORM_APIS[0]}"


def _run_image(metadata: Mapping[str, object]) -> str:
    if images := metadata.get("images"):
        return str(images[0]["image"])  # type: ignore[index]
    return str(metadata["stack"]["runImage"]["image"])  # type: ignore[index]


def _platform_apis(lifecycle: Mapping[str, object]) -> set[str]:
    """Return supported and deprecated platform APIs; old builders name a single one."""
    if apis := lifecycle.get("apis"):
        platform = apis["platform"]  # type: ignore[index]
        return {*(platform.get("supported") or ()), *(platform.get("deprecated") or ())}
    return {str(lifecycle["api"]["platform"])}  # type: ignore[index]


def processes(metadata: str) -> list[str]:
    """Return the process types that a build defined, from the lifecycle's `metadata.toml`.

    Untrusted code in the build can write this file, so the parser must be linear in time and
    bounded in depth.

    Raises:
        ValueError: the text is not such a file.
    """
    try:
        return [str(one["type"]) for one in rtoml.loads(metadata).get("processes", [])]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is not the metadata of a build ({error})") from error


def why_no_process(wanted: str, defined: Sequence[str]) -> str | None:
    """Return why the image cannot run the wanted process, or None if it can."""
    if wanted in defined:
        return None
    if not defined:
        return f"The build defines no process. Add a Procfile with a line `{wanted}: command`."
    return (
        f"The build defines no process {wanted!r}, only: {', '.join(sorted(defined))}. "
        "Change `build.process`, or the Procfile."
    )


@dataclass(frozen=True)
class PhaseVerdict:
    """The meaning of a phase's exit code; the build is retried unless the verdict is `final`."""

    reason: Reason
    message: str
    final: bool = True


_NOT_RECOGNISED: Final = PhaseVerdict(
    Reason.NO_BUILDPACK,
    "No buildpack of the builder recognised this repository; check `subdirectory` and the builder, "
    "or add the file by which it is recognised (package.json, requirements.txt, Procfile, …)",
)
#: https://github.com/buildpacks/lifecycle/blob/main/platform/exit.go
_EXIT_CODES: Final[Mapping[int, PhaseVerdict]] = {
    3: PhaseVerdict(Reason.INTERNAL, "The builder's lifecycle rejected Aweigh's arguments"),
    11: PhaseVerdict(
        Reason.BUILDER_NOT_FOUND,
        "Unsupported platform API: the builder's lifecycle rejected Aweigh's; choose another "
        "`build.builder`",
    ),
    12: PhaseVerdict(
        Reason.BUILDER_NOT_FOUND,
        "A buildpack of the builder is incompatible with its lifecycle; choose another "
        "`build.builder`",
    ),
    20: _NOT_RECOGNISED,
    21: PhaseVerdict(
        Reason.NO_BUILDPACK, "No buildpack recognised this repository, and at least one failed"
    ),
    32: PhaseVerdict(Reason.BUILD_FAILED, "The previous image could not be analysed", final=False),
    42: PhaseVerdict(Reason.BUILD_FAILED, "The cache could not be restored", final=False),
    51: PhaseVerdict(Reason.BUILD_FAILED, "The build failed"),
    62: PhaseVerdict(Reason.BUILD_FAILED, "The image could not be written", final=False),
}


#: Exit codes of a phase that was killed from outside, as when the engine stops: SIGKILL, SIGTERM,
#: Go's code for SIGTERM as process 1, and the code an engine reports after its restart.
_KILLED: Final = (137, 143, 2, 255)


def verdict(phase: BuildPhase, exit_code: int) -> PhaseVerdict:
    """Return the meaning of a phase's exit code."""
    if exit_code in _KILLED:
        return PhaseVerdict(
            Reason.BUILD_FAILED, f"The {phase} was killed by the engine or the server", final=False
        )
    known = _EXIT_CODES.get(exit_code)
    return known or PhaseVerdict(Reason.BUILD_FAILED, f"The {phase} exited with code {exit_code}")


#: Printed by the lifecycle; 137 is the exit code of a shell whose child got SIGKILL.
_CHILD_KILLED: Final = re.compile(r"failed to build: (signal: killed|exit status 137)")


def was_killed(said: str) -> bool:
    """Whether a buildpack was killed; in a container only the kernel does that (out of memory)."""
    return _CHILD_KILLED.search(said) is not None
