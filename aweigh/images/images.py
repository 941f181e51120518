"""Images on the engine: pulled with progress, pinned by content, tagged by Aweigh."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

import docker
from docker.auth import encode_header
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from aweigh.core.errors import PullStopped
from aweigh.core.platform import Platform
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import Registry
from aweigh.deployments.step_errors import (
    StepError,
    StepUnavailable,
)
from aweigh.engine.connection import AbortableConnection
from aweigh.engine.engine import Engine
from aweigh.engine.errors import text_of
from aweigh.images.facts import ImageFacts
from aweigh.images.pull_errors import (
    pull_error,
    registry_silent,
)

T = TypeVar("T")

#: In nanoseconds, the engine's unit.
_SECOND: Final = 1_000_000_000
#: How long the engine may wait for a registry's digest, which normally takes milliseconds.
_ASKING_SECONDS: Final = 30.0

#: Each of these means that a layer has arrived completely. The engine skips events while the reader
#: is busy, so any of them may be the first one after "Downloading".
_DOWNLOADED: Final = frozenset(
    {"Verifying Checksum", "Download complete", "Extracting", "Pull complete"}
)


@dataclass
class PullProgress:
    """The progress of a pull. Totals appear only as layers start, so there is no percentage."""

    done: set[str] = field(default_factory=set)
    bytes_by_layer: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    layers: set[str] = field(default_factory=set)

    def take(self, event: Mapping[str, Any]) -> None:
        layer, status = str(event.get("id", "")), str(event.get("status", ""))
        if not re.fullmatch(r"[a-f0-9]{12}", layer):
            return  # the first event's id is the tag
        self.layers.add(layer)
        detail = event.get("progressDetail") or {}
        if "total" in detail:
            self.totals[layer] = int(detail["total"])
        if status == "Downloading":
            current = int(detail.get("current", 0))
            self.bytes_by_layer[layer] = max(current, self.bytes_by_layer.get(layer, 0))
        if status in _DOWNLOADED:
            self.bytes_by_layer[layer] = self.totals.get(layer, 0)
        if status in ("Pull complete", "Already exists"):
            self.done.add(layer)

    def __str__(self) -> str:
        megabytes = sum(self.bytes_by_layer.values()) / 1e6
        return f"{len(self.done)} of {len(self.layers)} layers, {megabytes:.1f} MB"


@dataclass(frozen=True)
class RemoteImage:
    """A registry's description of an image; platforms only if its manifest lists them."""

    digest: str
    platforms: tuple[Platform, ...] = ()


class Images:
    """The images of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def find(self, reference: str) -> ImageFacts | None:
        """Return the image with that id, tag or digest; None if it is not on the engine."""

        def found(c: docker.APIClient) -> ImageFacts | None:
            try:
                return _facts(c.inspect_image(reference))  # type: ignore[no-untyped-call]
            except NotFound:
                return None

        return await self._engine.call(f"look at image {reference}", found)

    async def look_up(self, reference: ImageReference, registry: Registry | None) -> RemoteImage:
        """Resolve a reference at its registry, without pulling.

        Raises:
            StepError: the registry's error, classified.
        """

        line = self._engine.line(_ASKING_SECONDS)
        path = f"/distribution/{quote(str(reference))}/json"

        def asked(c: docker.APIClient) -> RemoteImage:
            told = line.value(c, path, _credentials(registry))
            platforms = tuple(map(_platform, told.get("Platforms") or ()))
            return RemoteImage(str(told["Descriptor"]["digest"]), platforms)

        return await self._asking(reference, asked, line)

    async def pull(
        self,
        reference: ImageReference,
        registry: Registry | None,
        watch: Callable[[PullProgress], bool] = lambda progress: True,
        *,
        asked: ImageReference | None = None,
        platform: Platform | None = None,
    ) -> None:
        """Pull an image; `watch` gets every event, in a thread, and returns False to stop.

        A cancel or timeout disconnects from the engine, which keeps the layers that have arrived.
        `asked` is the reference to name in errors: the tag a person knows, if `reference` is a
        digest. `platform` selects a platform other than the engine's own.

        Raises:
            PullStopped: `watch` stopped the pull.
            StepError: the registry's or the engine's error, classified.
        """

        named = asked or reference
        progress = PullProgress()
        line = self._engine.line()
        wanted = {"fromImage": reference.repository, "tag": reference.digest or reference.tag or ""}
        if platform:
            wanted["platform"] = str(platform)

        def pulled(c: docker.APIClient) -> None:
            failed: StepError | None = None
            for event in line.events(c, "/images/create", wanted, _credentials(registry)):
                # Errors in the middle of a pull come in a stream that began with status 200.
                if "error" in event:
                    failed = failed or pull_error(str(event["error"]), named)
                    continue
                progress.take(event)
                if not watch(progress):
                    raise PullStopped(str(reference))
            if failed:
                raise failed

        await self._asking(named, pulled, line)

    async def _asking(
        self,
        reference: ImageReference,
        call: Callable[[docker.APIClient], T],
        line: AbortableConnection,
    ) -> T:
        try:
            return await in_thread(lambda: call(self._engine.client()), line.hang_up)
        except APIError as error:
            raise pull_error(text_of(error), reference) from error
        except TimeoutError as error:
            # The engine answers everything else at once: it waits for the registry.
            raise registry_silent(reference, _ASKING_SECONDS) from error
        except (DockerException, RequestException, HTTPError) as error:
            raise self._engine.failed(f"pull {reference}", error) from error

    async def tag(self, image_id: str, name: str) -> None:
        """Tag an image. Raises: StepUnavailable: the image was just removed."""
        repository, _, tag = name.rpartition(":")

        def tagged(c: docker.APIClient) -> None:
            try:
                c.tag(image_id, repository, tag, force=True)
            except NotFound as error:
                raise StepUnavailable(
                    Reason.IMAGE_NOT_FOUND,
                    f"The image {image_id} was removed by another program. Retry.",
                ) from error

        await self._engine.call(f"tag {name}", tagged)

    async def untag(self, name: str) -> None:
        """Remove one name from an image; the engine deletes an image with its last name."""

        def untagged(c: docker.APIClient) -> None:
            try:
                c.remove_image(name)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # a container still uses it
                    raise

        await self._engine.call(f"remove image {name}", untagged)

    async def names(self) -> list[str]:
        """Return all names of all images on the engine."""

        def listed(c: docker.APIClient) -> list[str]:
            return [name for image in c.images() for name in image.get("RepoTags") or []]

        return await self._engine.call("list images", listed)

    async def tags(self, repository: str) -> dict[str, str]:
        """Return the tags of one repository, with the ids of their images."""

        def listed(c: docker.APIClient) -> dict[str, str]:
            return {
                name.rpartition(":")[2]: image["Id"]
                for image in c.images(name=repository)
                for name in image.get("RepoTags") or []
            }

        return await self._engine.call(f"list images of {repository}", listed)

    async def add(self, name: str, archive: bytes, changes: list[str]) -> None:
        """Create an image with one layer from a tar archive."""
        repository, _, tag = name.rpartition(":")
        await self._engine.call(
            f"make image {name}",
            lambda c: c.import_image_from_data(
                archive, repository=repository, tag=tag, changes=changes
            ),
        )


def _credentials(registry: Registry | None) -> dict[str, str]:
    """Return the header for a registry; without it, docker-py would read ~/.docker/config.json."""
    known = {}
    if registry:
        password = registry.password.get_secret_value()
        known = {"username": registry.username, "password": password}
    return {"X-Registry-Auth": encode_header(known).decode()}


def _seconds_to_give_up(check: Mapping[str, Any]) -> float:
    """Return the seconds until a container is unhealthy, with the engine's defaults applied."""
    interval, timeout = (check.get(name) or 30 * _SECOND for name in ("Interval", "Timeout"))
    tried = (interval + timeout) * (check.get("Retries") or 3)  # checks run one after the other
    start = check.get("StartPeriod") or 0
    begun = timeout if start else 0  # a check that starts within the period does not count
    return float(start + begun + tried) / _SECOND


def _platform(told: Mapping[str, Any]) -> Platform:
    parts = (told.get(name) or "" for name in ("os", "architecture", "variant"))
    return Platform(*map(str, parts))


def _facts(raw: Mapping[str, Any]) -> ImageFacts:
    config = raw.get("Config") or {}
    exposed = [port.split("/") for port in config.get("ExposedPorts") or {}]
    check = config.get("Healthcheck") or {}
    has_check = (check.get("Test") or ["NONE"])[0] != "NONE"
    named = (raw.get("Metadata") or {}).get("LastTagTime")
    return ImageFacts(
        id=raw["Id"],
        digests=tuple(raw.get("RepoDigests") or ()),
        tags=tuple(raw.get("RepoTags") or ()),
        exposed_tcp=tuple(sorted(int(number) for number, kind in exposed if kind == "tcp")),
        volumes=tuple(sorted(config.get("Volumes") or {})),
        labels=config.get("Labels") or {},
        env=dict(pair.split("=", 1) for pair in config.get("Env") or () if "=" in pair),
        has_health_check=has_check,
        health_seconds=_seconds_to_give_up(check) if has_check else 0,
        has_command=bool(config.get("Cmd") or config.get("Entrypoint")),
        user=config.get("User") or "",
        size=raw.get("Size", 0),
        named_at=datetime.fromisoformat(named) if named else None,
        platform=_platform({key.lower(): value for key, value in raw.items()}),
    )
