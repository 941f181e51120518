"""What a server must grant before a container is made: bind mounts and host ports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aweigh.containers.spec import APPLICATION, INSTANCE
from aweigh.core.errors import StepFailed
from aweigh.deployments.deployment import Reason

if TYPE_CHECKING:
    from aweigh.containers.spec import ContainerSpec
    from aweigh.deployments.application import Port
    from aweigh.deployments.release import Release
    from aweigh.servers.server import Server


def refuse_binds(server: Server, release: Release) -> None:
    """Bind mounts only from below a root that this server's own settings allow.

    Raises:
        StepFailed
    """
    for volume in release.settings.volumes:
        if volume.is_bind:
            _real(server, volume.source)


def with_real_binds(server: Server, spec: ContainerSpec) -> ContainerSpec:
    """The container with its bind mounts' links followed, and checked where they lead.

    Checked again for each container, because what lies below a root may change at any time; the
    engine gets the path that was checked, not the one that may have become a link since.

    Raises:
        StepFailed
    """
    mounts = tuple(
        replace(mount, source=str(_real(server, mount.source))) if mount.is_bind else mount
        for mount in spec.mounts
    )
    return replace(spec, mounts=mounts)


def _real(server: Server, source: str) -> Path:
    real = Path(source).resolve()
    named = source if str(real) == source else f"{source} (which leads to {real})"
    if not any(real.is_relative_to(root.resolve()) for root in server.bind_roots):
        allowed = ", ".join(map(str, server.bind_roots)) or "none"
        raise StepFailed(
            Reason.START_FAILED,
            f"Bind mounts of {named} are not allowed on this server; "
            f"its AWEIGH_BIND_ROOTS allows: {allowed}.",
        )
    for guarded in server.guarded:
        kept = guarded.resolve()
        if real.is_relative_to(kept) or kept.is_relative_to(real):
            raise StepFailed(
                Reason.START_FAILED,
                f"Bind mounts of {named} are never allowed: {guarded} would be in reach, and with "
                "it the whole server.",
            )
    if not real.exists():
        raise StepFailed(
            Reason.START_FAILED,
            f"The bind mount's source {named} does not exist on the server; make it first.",
        )
    return real


async def refuse_taken_ports(server: Server, release: Release) -> None:
    """Host ports that somebody else holds, found before anything is stopped for them.

    Raises:
        StepFailed: `port_taken`
    """
    own = {INSTANCE: server.instance, APPLICATION: release.application}.items()
    for port in release.settings.ports:
        publisher = await server.engine.publisher_of(port.host, port.protocol)
        if publisher and own <= publisher.labels.items():
            continue  # the release that makes way
        if holder := await server.holder_of(port.host, port.protocol):
            raise port_taken(port, holder)


def port_taken(port: Port, holder: str) -> StepFailed:
    return StepFailed(
        Reason.PORT_TAKEN,
        f"Host port {port.host}/{port.protocol} is taken by {holder}. "
        "Stop it, or give the application another port.",
    )
