"""Builds a Dockerfile with a separate BuildKit in a container.

The container has a fixed name, so after the death of a worker the next one finds it and waits for
it.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import docker

from aweigh.builds.buildpacks.phase_containers import CACHE_ROLE
from aweigh.builds.dockerfile.arguments import with_arguments
from aweigh.builds.dockerfile.buildkit_container import (
    CONTEXT,
    DOCKERFILE,
    NOT_STARTED,
    PHASE,
    PLACE,
    RESULT,
    SECRETS,
    USER,
    DockerfileOrder,
    dockerfile_spec,
)
from aweigh.builds.dockerfile.image_archive import NoImage, image_within
from aweigh.builds.dockerfile.verdict import OUT_OF_MEMORY, dockerfile_verdict
from aweigh.builds.source.files import (
    FileOwner,
    dockerfile_of,
    files_archive,
    inside,
    regular_file,
    tree_archive,
)
from aweigh.containers.networks import Networks
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    BuildLost,
    StepError,
    StepFailed,
)
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    APPLICATION,
    DEPLOYMENT,
    ROLE,
)
from aweigh.engine.naming import Names
from aweigh.engine.output import Tell, read_to_the_end

_OWNER: Final = FileOwner(USER, USER)
#: BuildKit's error is in the last line.
_LAST_LINES: Final = 5
#: Maximum length of a Dockerfile or .dockerignore, in characters.
_LONGEST: Final = 1024**2
_NOT_STARTED: Final = (
    "BuildKit did not start; its output is in the deployment's log. It needs unprivileged user "
    "namespaces (user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns) and "
    "a rootless image in AWEIGH_BUILDKIT_IMAGE."
)


class BuildKit:
    """One build on one engine."""

    def __init__(
        self,
        engine: Engine,
        networks: Networks,
        names: Names,
        order: DockerfileOrder,
        confine: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._networks = networks
        self._names = names
        self._order = order
        self._confine = confine
        self._name = names.build(order.slug, order.sequence, PHASE)

    async def run(
        self,
        source: Path,
        after: str,
        tell: Tell,
        say: Callable[[str], None],
        look: Callable[[], None],
    ) -> None:
        """Build the image and load it into the engine.

        `after` is the position at which an earlier reader of the output stopped. `look` is called
        repeatedly, in a thread, while the image is loaded; an exception from it stops the loading.

        Raises:
            StepError: the image could not be built or loaded, with the reason.
        """
        found = await self._engine.container(self._name)
        if found and found.labels.get(DEPLOYMENT) != self._order.labels[DEPLOYMENT]:
            raise StepFailed(
                Reason.INTERNAL,
                f"Container {self._name} belongs to another deployment. Retry when that one has "
                "ended.",
            )
        if found is None or found.status == "created":
            await self._start(source, say)
        ended = await read_to_the_end(self._engine, self._name, after, tell)
        if ended.exit_code:
            raise await self._failed(ended)
        await self._load(look)

    async def _start(self, source: Path, say: Callable[[str], None]) -> None:
        order = self._order
        context = inside(source, order.subdirectory)
        files = {f"{SECRETS}/{name}": value for name, value in order.secrets.items()}
        files |= _dockerfile(context, order, say)
        await self._ensure_volumes_and_network()
        await self._engine.remove(self._name)  # its files may be incomplete
        await self._engine.create(dockerfile_spec(self._names, order))
        directories = (PLACE, SECRETS, DOCKERFILE)
        await self._engine.upload(self._name, files_archive(files, _OWNER, directories))
        with await in_thread(lambda: tree_archive(context, CONTEXT, _OWNER)) as archive:
            await self._engine.upload(self._name, archive)
        await self._confine()
        await self._engine.start(self._name)

    async def _ensure_volumes_and_network(self) -> None:
        order = self._order
        await self._networks.ensure_build_network(order.network)
        labels = {APPLICATION: order.labels[APPLICATION], ROLE: CACHE_ROLE}
        await self._networks.ensure_volume(self._names.cache(order.slug, "buildkit"), labels)

    async def _load(self, look: Callable[[], None]) -> None:
        """Load the result into the engine.

        Raises:
            StepFailed: the result is not an image.
        """

        def loaded(c: docker.APIClient) -> None:
            copied, _ = c.get_archive(self._name, RESULT)
            archive = image_within(copied, self._order.image)
            for event in c.load_image(watched(archive, look)):  # type: ignore[no-untyped-call]
                if "error" in event:
                    raise NoImage(event["error"])

        try:
            await self._engine.call(f"load {self._order.image}", loaded)
        except NoImage as error:
            raise StepFailed(
                Reason.BUILD_FAILED, f"The result of the build is not an image: {error}."
            ) from error

    async def _failed(self, ended: Container) -> StepError:
        if ended.out_of_memory:
            return StepFailed(OUT_OF_MEMORY.reason, OUT_OF_MEMORY.message)
        if ended.exit_code == NOT_STARTED:
            return StepFailed(Reason.BUILDER_NOT_FOUND, _NOT_STARTED)
        lines = (await self._engine.last_lines(self._name, _LAST_LINES)).splitlines()
        said = dockerfile_verdict(lines)
        kind = StepFailed if said.final else BuildLost
        return kind(said.reason, said.message)


def watched(chunks: Iterable[bytes], look: Callable[[], None]) -> Iterator[bytes]:
    """Yield the chunks, calling `look` before each; an exception from it stops the iteration."""
    for chunk in chunks:
        look()
        yield chunk


def _dockerfile(
    context: Path, order: DockerfileOrder, say: Callable[[str], None]
) -> dict[str, str]:
    """Return the Dockerfile with its arguments, and its own .dockerignore if it has one.

    Raises:
        StepFailed: the Dockerfile does not exist or is too long.
    """
    filled = with_arguments(_text(dockerfile_of(context, order.dockerfile)), order.args)
    if filled.undeclared:
        say(f"build arguments without an ARG in the Dockerfile: {', '.join(filled.undeclared)}")
    files = {f"{DOCKERFILE}/{order.file_name}": filled.text}
    ignored = regular_file(context, f"{order.dockerfile}.dockerignore")
    if ignored:
        files[f"{DOCKERFILE}/{ignored.name}"] = _text(ignored)
    return files


def _text(file: Path) -> str:
    """Return the text of a file.

    Raises:
        StepFailed: the file is longer than any that a person writes.
    """
    with file.open(errors="replace") as content:
        text = content.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise StepFailed(
            Reason.DOCKERFILE_INVALID,
            f"The repository's {file.name} is longer than {_LONGEST // 1024} KiB; shorten it.",
        )
    return text
