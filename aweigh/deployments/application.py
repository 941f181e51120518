"""The settings of an application, validated when they are parsed.

The HTTP API, the encrypted snapshot of a release and the server worker parse the same classes, so
each of them rejects a value that breaks a grammar.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from aweigh.core import grammar
from aweigh.core.model import Memory, PortNumber, Text, Unique, Value, memory_bytes
from aweigh.deployments.public_address import host_name, path_prefix
from aweigh.deployments.source import Source
from aweigh.deployments.variable import GivenVariable

Protocol = Literal["tcp", "udp"]
#: The longest deadline of a health gate, in seconds.
LONGEST_GATE: Final = 3600
#: Granted by the engine to every container, by Aweigh only on request: raw packets, and device
#: files in volumes that others may read.
Capability = Literal["MKNOD", "NET_RAW"]


class Strategy(StrEnum):
    """How a release replaces the live one; for `auto` see `chosen_strategy`."""

    AUTO = "auto"
    ROLLING = "rolling"
    RECREATE = "recreate"


class Policy(StrEnum):
    """Whether a newer deployment supersedes a running one or waits for its end."""

    SUPERSEDE = "supersede"
    QUEUE = "queue"


def _mount_path(path: str) -> str:
    if not grammar.matches(grammar.MOUNT_PATH, path) or not grammar.is_plain_path(path):
        raise ValueError("must be an absolute path without '.', '..' or empty parts")
    return "/" + path.strip("/")


def _mount_target(path: str) -> str:
    if path == "/":
        raise ValueError("the container's root cannot be a mount target")
    return _mount_path(path)


MountTarget = Annotated[str, AfterValidator(_mount_target)]


class Domain(Value):
    """A public address: requests for its host and path prefix are routed to the application."""

    host: Annotated[str, AfterValidator(host_name)]
    path: Annotated[str, AfterValidator(path_prefix)] = "/"
    tls: bool = True

    @property
    def key(self) -> object:
        return self.host, self.path


class Port(Value):
    """A port of the server that is published to a port of the container, without the proxy."""

    host: PortNumber
    container: PortNumber
    protocol: Protocol = "tcp"

    @property
    def key(self) -> object:
        return self.host, self.protocol


class Volume(Value):
    """`source` is a path on the server (bind mount) or the name of a volume of the application."""

    source: str
    target: MountTarget
    read_only: bool = False
    exclusive: bool = False

    @field_validator("source")
    @classmethod
    def _source(cls, source: str) -> str:
        if source.startswith("/"):
            return _mount_path(source)
        if not grammar.matches(grammar.VOLUME_NAME, source):
            raise ValueError("is neither an absolute path nor a volume name")
        return source

    @property
    def is_bind(self) -> bool:
        return self.source.startswith("/")

    @property
    def key(self) -> object:
        return self.target


class HealthCheck(Value):
    """The probe from outside that must find a container healthy within `deadline` seconds."""

    type: Literal["http", "tcp", "image", "uptime"]
    path: str = "/"
    status: Annotated[int, Field(ge=100, le=599)] | None = None  # None accepts any 2xx or 3xx
    port: PortNumber | None = None
    seconds: Annotated[int, Field(ge=1, le=600)] = 5  # for `uptime`
    #: None means a minute, or the time until the image's own HEALTHCHECK fails.
    deadline: Annotated[int, Field(ge=1, le=LONGEST_GATE)] | None = None

    @field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        if not grammar.matches(grammar.URL_PATH, path):
            raise ValueError("is not a path: it begins with '/', without a query")
        return path

    def accepts(self, status: int) -> bool:
        return status == self.status if self.status else 200 <= status < 400


class Resources(Value):
    cpus: Annotated[float, Field(ge=0.01, le=1024)] | None = None
    memory: Memory | None = None

    @property
    def memory_bytes(self) -> int | None:
        return memory_bytes(self.memory) if self.memory else None


class KeepDeployments(Value):
    """How much of an application's history is kept; what exceeds either limit is pruned."""

    count: Annotated[int, Field(ge=1, le=100_000)] = 200
    days: Annotated[int, Field(ge=1, le=36_500)] = 365


class ApplicationSettings(Value):
    """The settings of an application, apart from its name and server."""

    source: Source
    env: dict[str, GivenVariable] = Field(default_factory=dict)
    labels: dict[str, Text] = Field(default_factory=dict)
    networks: Annotated[tuple[str, ...], Unique] = ()
    domains: Annotated[tuple[Domain, ...], Unique] = ()
    port: PortNumber | None = None
    ports: Annotated[tuple[Port, ...], Unique] = ()
    capabilities: Annotated[tuple[Capability, ...], Unique] = ()
    volumes: Annotated[tuple[Volume, ...], Unique] = ()
    health_check: HealthCheck | None = None
    replicas: Annotated[int, Field(ge=1, le=50)] = 1
    resources: Resources = Resources()
    command: tuple[Text, ...] | None = None
    entrypoint: tuple[Text, ...] | None = None
    release_command: tuple[Text, ...] | None = None
    stop_grace: Annotated[int, Field(ge=0, le=3600)] = 10
    drain: Annotated[int, Field(ge=0, le=3600)] = 30
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = "unless-stopped"
    strategy: Strategy = Strategy.AUTO
    policy: Policy = Policy.SUPERSEDE
    keep_deployments: KeepDeployments = KeepDeployments()
    #: Whether channels are told of its deployments.
    notify: bool = True

    @field_validator("env")
    @classmethod
    def _env(cls, env: dict[str, GivenVariable]) -> dict[str, GivenVariable]:
        for name in env:
            grammar.variable_name(name)
        return env

    @field_validator("port")
    @classmethod
    def _port(cls, port: int | None, info: ValidationInfo) -> int | None:
        told = info.data.get("env", {}).get("PORT")
        if port and told and told.text != str(port):
            raise ValueError(
                "differs from the variable PORT, on which the application listens: set only one of "
                "them, or both to the same port"
            )
        return port

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for key in labels:
            if not grammar.matches(grammar.LABEL_KEY, key):
                raise ValueError(f"{key!r} is not a label key")
            if key.startswith(grammar.RESERVED_LABEL_PREFIXES):
                raise ValueError(f"{key!r}: the label prefixes aweigh. and traefik. are reserved")
        return labels

    @field_validator("networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for name in networks:
            if not grammar.matches(grammar.NETWORK_NAME, name):
                raise ValueError(f"{name!r} is not a network name")
        return networks

    @field_validator("replicas")
    @classmethod
    def _replicas(cls, replicas: int, info: ValidationInfo) -> int:
        if replicas > 1 and info.data.get("ports"):
            raise ValueError("a host port leads to one container only: set 1, or give no `ports`")
        if replicas > 1 and any(volume.exclusive for volume in info.data.get("volumes", ())):
            raise ValueError("an exclusive volume allows one replica only")
        return replicas

    @field_validator("strategy")
    @classmethod
    def _strategy(cls, strategy: Strategy, info: ValidationInfo) -> Strategy:
        if strategy is Strategy.ROLLING and info.data.get("ports"):
            raise ValueError("two releases cannot share a host port; use recreate")
        if strategy is Strategy.ROLLING and any(
            volume.exclusive for volume in info.data.get("volumes", ())
        ):
            raise ValueError("two releases cannot share an exclusive volume; use recreate")
        return strategy

    @property
    def dropped_capabilities(self) -> tuple[str, ...]:
        """The capabilities that the settings do not request."""
        return tuple(one for one in get_args(Capability) if one not in self.capabilities)


def chosen_strategy(settings: ApplicationSettings, image_volumes: tuple[str, ...] = ()) -> Strategy:
    """Return `recreate` if two releases must not run at the same time, else `rolling`.

    `image_volumes` are the paths of the image's own volumes, which become the application's.
    """
    if settings.strategy is not Strategy.AUTO:
        return settings.strategy
    mapped = {volume.target.rstrip("/") for volume in settings.volumes}
    writable = any(not volume.read_only for volume in settings.volumes) or any(
        path.rstrip("/") not in mapped for path in image_volumes
    )
    exclusive = any(volume.exclusive for volume in settings.volumes)
    if settings.ports or exclusive or (writable and not settings.domains):
        return Strategy.RECREATE
    return Strategy.ROLLING
