"""What the engine needs to create a container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aweigh.deployments.application import Port

#: Log rotation of every container, so that no application fills the disk.
LOG_OPTIONS: Final[Mapping[str, str]] = {"max-size": "10m", "max-file": "3"}


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A bind mount (absolute `source`) or a named volume."""

    source: str
    target: str
    read_only: bool = False
    #: Do not copy the image's content into the volume if it is empty.
    no_copy: bool = False

    @property
    def is_bind(self) -> bool:
        return self.source.startswith("/")


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything the engine needs to create a container."""

    name: str
    image: str
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    network: str
    address: str | None = None
    #: Further networks, with the container's host name there.
    networks: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    cpus: float | None = None
    memory_bytes: int | None = None
    restart: str = "no"
    stop_grace: int = 10
    #: `uid:gid`; empty for the image's user.
    user: str = ""
    pids: int | None = None
    #: Capabilities removed from the engine's default set.
    dropped: tuple[str, ...] = ()
    #: Remove all capabilities, and prevent gaining any.
    confined: bool = False
    #: How many bytes of its output the engine keeps; None for the default.
    log_bytes: int | None = None
    #: Allow user namespaces and nested containers; only for an ordinary user.
    nests: bool = False
