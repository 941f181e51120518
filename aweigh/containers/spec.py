"""What a container shall be: pure builders, run by a second, dumb thing (the engine adapter)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aweigh.containers.naming import Names
from aweigh.core.grammar import RESERVED_LABEL_PREFIXES
from aweigh.deployments.application import ApplicationSettings, Port
from aweigh.deployments.release import Release
from aweigh.deployments.variable import values_of
from aweigh.images.facts import ImageFacts
from aweigh.routing.route import RESOLVER, WEB, WEB_SECURE, Routing, rule

INSTANCE: Final = "aweigh.instance"
APPLICATION: Final = "aweigh.application"
DEPLOYMENT: Final = "aweigh.deployment"
SEQUENCE: Final = "aweigh.sequence"
REPLICA: Final = "aweigh.replica"
ROLE: Final = "aweigh.role"
#: What the proxy was made by, to tell whether its settings have changed since.
PLAN: Final = "aweigh.plan"
#: The restart policy to give back to a container that made way for one that failed.
RESTART: Final = "aweigh.restart"
#: The random identity that a server's data and its network on the engine share.
IDENTITY: Final = "aweigh.identity"
#: The addresses that an installation has on an engine, on the network that marks them as its own.
SUBNET: Final = "aweigh.subnet"

#: Log rotation of every container, so that no application fills the disk.
LOG_OPTIONS: Final[Mapping[str, str]] = {"max-size": "10m", "max-file": "3"}

#: What every image by Cloud Native Buildpacks carries.
BUILDPACKS_LABEL: Final = "io.buildpacks.build.metadata"
#: Runs the words that follow, in such an image.
LAUNCHER: Final = ("/cnb/lifecycle/launcher", "--")


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A bind mount (absolute `source`) or a named volume."""

    source: str
    target: str
    read_only: bool = False
    #: Leaves a volume as it is, where the engine would copy into an empty one what the image has.
    no_copy: bool = False

    @property
    def is_bind(self) -> bool:
        return self.source.startswith("/")


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything the engine is told about a container."""

    name: str
    image: str
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    network: str
    address: str | None = None
    #: Other networks and the name the container answers to there.
    networks: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    cpus: float | None = None
    memory_bytes: int | None = None
    restart: str = "no"
    stop_grace: int = 10
    #: `uid:gid`; empty: the image's own.
    user: str = ""
    pids: int | None = None
    #: Capabilities that are taken away of those that the engine gives every container.
    dropped: tuple[str, ...] = ()
    #: Takes every capability away, and every way to get one.
    confined: bool = False
    #: How much of its output the engine keeps, where that is not as much as of any container.
    log_bytes: int | None = None
    #: May have user namespaces of its own, and containers in them; for an ordinary user only.
    nests: bool = False


def sequence_of(labels: Mapping[str, str]) -> int:
    """The sequence of the deployment that a container is of; 0 where that cannot be read."""
    text = labels.get(SEQUENCE, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def labels_of(instance: str, release: Release) -> dict[str, str]:
    return {
        INSTANCE: instance,
        APPLICATION: release.application,
        DEPLOYMENT: release.deployment,
        SEQUENCE: str(release.sequence),
    }


def blanked_labels(image: ImageFacts) -> dict[str, str]:
    """An image's labels under Traefik's names or ours, emptied.

    Its containers inherit them, and with them it could claim another application's host, or pass
    for a replica. Traefik reads its own in any case.
    """
    return {key: "" for key in image.labels if key.lower().startswith(RESERVED_LABEL_PREFIXES)}


def traefik_labels(
    names: Names, release: Release, image: ImageFacts, port: int | None, routing: Routing
) -> dict[str, str]:
    """The standard labels of the route, for people and for a Traefik that reads labels.

    Not beside labels that the image brought: what both say together nobody can tell.
    """
    settings = release.settings
    brought = any(key.lower().startswith("traefik.") for key in image.labels)
    if not settings.domains or brought:
        return {"traefik.enable": "false"}
    network = names.application_network(release.slug)
    labels = {"traefik.enable": "true", "traefik.docker.network": network}
    labels[f"traefik.http.services.{release.slug}.loadbalancer.server.port"] = str(port)
    for index, domain in enumerate(settings.domains):
        router = f"traefik.http.routers.{release.slug}-{index}"
        labels[f"{router}.rule"] = rule(domain)
        labels[f"{router}.entrypoints"] = WEB_SECURE if domain.tls else WEB
        labels[f"{router}.service"] = release.slug
        if domain.tls:
            labels[f"{router}.tls"] = "true"
            if routing.certificates:
                labels[f"{router}.tls.certresolver"] = RESOLVER
    return labels


def mounts_of(names: Names, slug: str, settings: ApplicationSettings) -> tuple[Mount, ...]:
    return tuple(
        Mount(
            source=volume.source if volume.is_bind else names.volume(slug, volume.source),
            target=volume.target,
            read_only=volume.read_only,
        )
        for volume in settings.volumes
    )


def image_volume_mounts(
    names: Names, slug: str, settings: ApplicationSettings, image: ImageFacts
) -> tuple[Mount, ...]:
    """A named volume for each `VOLUME` of the image that the application does not map.

    The engine would make an anonymous one, and its data would go with the container.
    """
    mapped = {volume.target.rstrip("/") for volume in settings.volumes}
    return tuple(
        Mount(source=names.image_volume(slug, target), target=target)
        for target in image.volumes
        if target.rstrip("/") not in mapped
    )


def all_mounts(
    names: Names, slug: str, settings: ApplicationSettings, image: ImageFacts
) -> tuple[Mount, ...]:
    """What the application maps, and the image's own volumes that it does not."""
    mapped = mounts_of(names, slug, settings)
    return mapped + image_volume_mounts(names, slug, settings, image)


def environment(settings: ApplicationSettings, port: int | None) -> dict[str, str]:
    """The application's variables; `PORT` tells it where it is expected to listen."""
    return ({"PORT": str(port)} if port else {}) | values_of(settings.env)


def _entrypoint(
    settings: ApplicationSettings, image: ImageFacts, command: Sequence[str] | None
) -> tuple[str, ...] | None:
    """What a command is given to.

    An image by buildpacks starts one process and would take a command for its arguments; its
    launcher runs any, as it is, among the variables that the buildpacks set.
    """
    if settings.entrypoint is None and command and BUILDPACKS_LABEL in image.labels:
        return LAUNCHER
    return settings.entrypoint


def replica_spec(
    *,
    instance: str,
    names: Names,
    release: Release,
    image: ImageFacts,
    replica: int,
    address: str,
    port: int | None,
    routing: Routing,
) -> ContainerSpec:
    """The container of one replica of a release."""
    settings = release.settings
    return ContainerSpec(
        name=names.container(release.slug, release.sequence, replica),
        image=image.id,
        labels=dict(settings.labels)
        | blanked_labels(image)
        | traefik_labels(names, release, image, port, routing)
        | labels_of(instance, release)
        | {REPLICA: str(replica), ROLE: "replica", RESTART: settings.restart},
        env=environment(settings, port),
        command=settings.command,
        entrypoint=_entrypoint(settings, image, settings.command),
        network=names.application_network(release.slug),
        address=address,
        networks={names.network(name): release.slug for name in settings.networks},
        mounts=all_mounts(names, release.slug, settings, image),
        ports=settings.ports,
        cpus=settings.resources.cpus,
        memory_bytes=settings.resources.memory_bytes,
        dropped=settings.dropped_capabilities,
        restart=settings.restart,
        stop_grace=settings.stop_grace,
    )


def release_command_spec(
    *, instance: str, names: Names, release: Release, image: ImageFacts
) -> ContainerSpec:
    """The one container that runs the release command: no address, ports or restarts."""
    settings = release.settings
    name = names.release_container(release.slug, release.sequence)
    return ContainerSpec(
        name=name,
        image=image.id,
        labels=blanked_labels(image)
        | labels_of(instance, release)
        | {ROLE: "release", "traefik.enable": "false"},
        env=environment(settings, None),
        command=settings.release_command,
        entrypoint=_entrypoint(settings, image, settings.release_command),
        network=names.application_network(release.slug),
        # Not the slug: nobody must reach the application at a container that only migrates.
        networks={names.network(network): name for network in settings.networks},
        mounts=all_mounts(names, release.slug, settings, image),
        cpus=settings.resources.cpus,
        memory_bytes=settings.resources.memory_bytes,
        dropped=settings.dropped_capabilities,
    )
