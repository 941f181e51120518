"""The containers of a release: what they look like, built without I/O."""

from collections.abc import Sequence
from typing import Final

from aweigh.core.grammar import RESERVED_LABEL_PREFIXES
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.release import Release
from aweigh.deployments.variable import values_of
from aweigh.engine.container_spec import ContainerSpec, Mount
from aweigh.engine.labels import REPLICA, RESTART, ROLE, labels_of
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts
from aweigh.routing.route import RESOLVER, WEB, WEB_SECURE, Routing, rule

#: Present on every image built by Cloud Native Buildpacks.
BUILDPACKS_LABEL: Final = "io.buildpacks.build.metadata"
#: In such an image, runs the command that follows.
LAUNCHER: Final = ("/cnb/lifecycle/launcher", "--")


def blanked_labels(image: ImageFacts) -> dict[str, str]:
    """Return empty values for the image's labels with Traefik's or our prefix.

    Containers inherit an image's labels, so it could claim another application's host, or pass as a
    replica. Traefik reads its own labels anyway.
    """
    return {key: "" for key in image.labels if key.lower().startswith(RESERVED_LABEL_PREFIXES)}


def traefik_labels(
    names: Names, release: Release, image: ImageFacts, port: int | None, routing: Routing
) -> dict[str, str]:
    """Return the standard labels of the route, for people and for a Traefik that reads labels.

    They are left out if the image has such labels itself: the combination would be unpredictable.
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
    """Return a named volume for each `VOLUME` of the image that the application does not map.

    The engine would create anonymous volumes, whose data is lost with the container.
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
    """Return the application's mounts and the image's own volumes that it does not map."""
    mapped = mounts_of(names, slug, settings)
    return mapped + image_volume_mounts(names, slug, settings, image)


def environment(settings: ApplicationSettings, port: int | None) -> dict[str, str]:
    """Return the application's variables; `PORT` is the port on which it should listen."""
    return ({"PORT": str(port)} if port else {}) | values_of(settings.env)


def _entrypoint(
    settings: ApplicationSettings, image: ImageFacts, command: Sequence[str] | None
) -> tuple[str, ...] | None:
    """Return the entrypoint for a command.

    An image by Buildpacks starts one process, and passes a command to it as arguments. Its launcher
    runs any command, with the variables that the buildpacks set.
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
    """Return the specification of one replica of a release."""
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
    """Return the container of the release command: without address, ports or restarts."""
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
        # Not the slug: requests to the application must not reach this container.
        networks={names.network(network): name for network in settings.networks},
        mounts=all_mounts(names, release.slug, settings, image),
        cpus=settings.resources.cpus,
        memory_bytes=settings.resources.memory_bytes,
        dropped=settings.dropped_capabilities,
    )
