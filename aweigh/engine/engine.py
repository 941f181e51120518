"""The Docker engine: short verbs for its HTTP API; each call is awaited until it has finished."""

import asyncio
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, TypeVar

import docker
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from aweigh.core.errors import (
    AddressTaken,
    NameTaken,
)
from aweigh.core.files import first_file
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepError,
    StepUnavailable,
)
from aweigh.engine.arguments import create_arguments
from aweigh.engine.connection import AbortableConnection
from aweigh.engine.container import Container, address_in, inspect
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.errors import engine_error

T = TypeVar("T")
TIMEOUT_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.2
_TAR_BYTES: Final = 20 * 512  # the overhead of a tar with one file


class Engine:
    """One engine. The client is created at the first call, so the engine may start later."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._client: docker.APIClient | None = None

    def client(self) -> docker.APIClient:
        """Return the client. Raises: DockerException: the engine is down."""
        if self._client is None:
            self._client = docker.APIClient(self._host, "auto", TIMEOUT_SECONDS)
        return self._client

    def line(self, timeout: float | None = None) -> AbortableConnection:
        """Return a connection for one request that may have to wait for a registry."""
        return AbortableConnection(self._host, timeout)

    async def call(
        self, doing: str, call: Callable[[docker.APIClient], T], *, wanted: bool = False
    ) -> T:
        """Run one or more calls in a thread; `wanted`: a user asked for the result.

        Raises:
            StepError: the engine's error, as `engine_error` translates it.
        """
        try:
            return await in_thread(lambda: call(self.client()))
        except (DockerException, RequestException, HTTPError) as error:
            raise self.failed(doing, error, wanted=wanted) from error

    def failed(self, doing: str, error: Exception, *, wanted: bool = False) -> StepError:
        if not isinstance(error, APIError):
            self._client = None  # a restarted engine may support another API version
        return engine_error(error, doing, wanted=wanted)

    async def version(self) -> str:
        return str((await self.call("ask for the version", lambda c: c.version()))["Version"])

    async def api_version(self) -> str:
        """Return the newest API version that the engine supports, as in `1.41`."""
        return str((await self.call("ask for the version", lambda c: c.version()))["ApiVersion"])

    async def root(self) -> str:
        """Return the directory in which the engine keeps images and containers."""
        return str((await self.call("ask for its data", lambda c: c.info()))["DockerRootDir"])

    async def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """Return all containers with these labels, running or not, sorted by name."""
        wanted = [f"{key}={value}" for key, value in labels.items()]

        def listed(c: docker.APIClient) -> list[Container]:
            found = c.containers(all=True, filters={"label": wanted})
            return [known for one in found if (known := inspect(c, one["Id"]))]

        return sorted(await self.call("list containers", listed), key=lambda one: one.name)

    async def container(self, name: str) -> Container | None:
        return await self.call(f"look at container {name}", lambda c: inspect(c, name))

    async def create(self, spec: ContainerSpec) -> None:
        """Create a container without starting it.

        Raises:
            NameTaken: a container of that name exists.
            StepError: the engine rejected it.
        """

        def created(c: docker.APIClient) -> None:
            try:
                c.create_container(**create_arguments(c, spec))
            except APIError as error:
                if error.status_code == 409:
                    raise NameTaken(spec.name) from error
                raise
            for network, alias in spec.networks.items():
                _connect(c, spec.name, network, alias)

        await self.call(f"create container {spec.name}", created, wanted=True)

    async def upload(self, name: str, archive: IO[bytes]) -> None:
        """Unpack a tar archive at the root of a container."""
        await self.call(f"copy files into {name}", lambda c: c.put_archive(name, "/", archive))

    async def read_file(self, name: str, path: str, most: int) -> bytes | None:
        """Return a file of an ended container; None if it is missing or longer than `most`."""

        def copied(c: docker.APIClient) -> bytes | None:
            archive = b""
            try:
                for chunk in c.get_archive(name, path)[0]:
                    archive += chunk
                    if len(archive) > most + _TAR_BYTES:  # or the path is a directory
                        return None
            except NotFound:
                return None
            return first_file(archive)

        return await self.call(f"read {path} of {name}", copied)

    async def start(self, name: str) -> None:
        """Start a container.

        Raises:
            AddressTaken: its address is in use; the container was removed.
            StepError: the engine rejected it; the container is unchanged.
        """

        def started(c: docker.APIClient) -> None:
            try:
                c.start(name)
            except APIError as error:
                if "address already in use" in str(error.explanation).lower() and (
                    error.status_code == 403
                ):
                    c.remove_container(name, force=True, v=True)
                    raise AddressTaken(name) from error
                raise

        await self.call(f"start container {name}", started, wanted=True)

    async def stop(self, name: str) -> None:
        """Stop a container within its grace period, unless it is stopped or gone."""

        def stopped(c: docker.APIClient) -> None:
            try:
                grace = c.inspect_container(name)["Config"].get("StopTimeout") or 0
                # The client's own timeout must be longer than the grace period.
                answer = c._post(  # type: ignore[attr-defined]
                    c._url("/containers/{0}/stop", name),  # type: ignore[attr-defined]
                    timeout=TIMEOUT_SECONDS + grace,
                )
                c._raise_for_status(answer)  # type: ignore[attr-defined]
            except NotFound:
                return

        await self.call(f"stop container {name}", stopped)

    async def remove(self, name: str) -> None:
        """Remove a container in any state with its anonymous volumes; do nothing if it is gone."""

        def removed(c: docker.APIClient) -> None:
            try:
                c.remove_container(name, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise

        await self.call(f"remove container {name}", removed)

    async def addresses_on(self, network: str) -> set[str]:
        """Return all containers' addresses on a network, with static addresses of stopped ones."""

        def listed(c: docker.APIClient) -> set[str]:
            found = c.containers(all=True, filters={"network": network})
            joined = [one["NetworkSettings"]["Networks"].get(network) or {} for one in found]
            return {address_in(endpoint) for endpoint in joined} - {""}

        return await self.call(f"list addresses on {network}", listed)

    async def publisher_of(self, port: int, protocol: str) -> Container | None:
        """Return the container that publishes a host port."""

        def found(c: docker.APIClient) -> Container | None:
            # The engine's own filter `publish` compares the port inside the container.
            for one in c.containers():
                bound = [(known.get("PublicPort"), known.get("Type")) for known in one["Ports"]]
                if (port, protocol) in bound:
                    return inspect(c, one["Id"])
            return None

        return await self.call(f"look for port {port}", found)

    async def set_restart(self, name: str, policy: str) -> None:
        wanted: Any = {"Name": policy, "MaximumRetryCount": 0}
        await self.call(
            f"set the restart policy of {name}",
            lambda c: c.update_container(name, restart_policy=wanted),
        )

    async def ended(self, name: str) -> Container | None:
        """Wait until the container has stopped, and return it; None if it is gone."""
        while True:
            found = await self.container(name)
            if found is None or not found.running:
                return found
            await asyncio.sleep(_POLL_SECONDS)

    async def last_lines(self, name: str, count: int = 20) -> str:
        """Return the last lines of both output streams; "" if the container is gone."""

        def read(c: docker.APIClient) -> str:
            try:
                return c.logs(name, tail=count, stdout=True, stderr=True).decode(errors="replace")
            except NotFound:
                return ""

        return await self.call(f"read the log of {name}", read)


def _connect(c: docker.APIClient, name: str, network: str, alias: str) -> None:
    try:
        c.connect_container_to_network(name, network, aliases=[alias])
    except NotFound as error:  # another application's cleanup found the network empty
        raise StepUnavailable(
            Reason.START_FAILED, f"network {network} was removed just now"
        ) from error
