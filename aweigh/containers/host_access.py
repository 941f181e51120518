"""The host resources that a server grants to applications: bind mounts and ports."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from aweigh.core.threads import in_thread
from aweigh.deployments.application import Port
from aweigh.deployments.deployment import Reason
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import StepFailed
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    APPLICATION,
    INSTANCE,
)
from aweigh.servers.ports import holder_of


class HostAccess:
    """`bind_roots`: the directories below which bind mounts are allowed.

    `guarded`: paths that no container may ever see, because they give control of the server.
    """

    def __init__(
        self, engine: Engine, instance: str, bind_roots: Iterable[Path], guarded: Iterable[Path]
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._bind_roots = tuple(bind_roots)
        self._guarded = tuple(guarded)

    async def refuse_unavailable(self, release: Release) -> None:
        """Reject bind mounts that are not allowed and host ports that are taken.

        Raises:
            StepFailed: `start_failed` or `port_taken`.
        """
        for volume in release.settings.volumes:
            if volume.is_bind:
                self._resolved(volume.source)
        own = {INSTANCE: self._instance, APPLICATION: release.application}.items()
        for port in release.settings.ports:
            publisher = await self._engine.publisher_of(port.host, port.protocol)
            if publisher and own <= publisher.labels.items():
                continue  # the application's own release, which is stopped first
            if holder := await self._holder_of(port):
                raise _port_taken(port, holder)

    def with_resolved_binds(self, spec: ContainerSpec) -> ContainerSpec:
        """Return the specification with the links in its bind mounts resolved and checked.

        The check is repeated for each container, because the content of a root may change at any
        time. The engine gets the resolved path, in which no link remains.

        Raises:
            StepFailed: `start_failed`.
        """
        mounts = tuple(
            replace(mount, source=str(self._resolved(mount.source))) if mount.is_bind else mount
            for mount in spec.mounts
        )
        return replace(spec, mounts=mounts)

    async def taken_port_of(self, spec: ContainerSpec, refusal: StepFailed) -> StepFailed:
        """Return the error for a port that the engine could not publish, naming its holder."""
        for port in spec.ports:
            if holder := await self._holder_of(port):
                return _port_taken(port, holder)
        return StepFailed(Reason.PORT_TAKEN, refusal.message)

    async def _holder_of(self, port: Port) -> str | None:
        """Return the container that holds a host port, else the process; None if it is free."""
        if container := await self._engine.publisher_of(port.host, port.protocol):
            return f"container {container.name}"
        return await in_thread(lambda: holder_of(port.host, port.protocol))

    def _resolved(self, source: str) -> Path:
        real = Path(source).resolve()
        named = source if str(real) == source else f"{source} (which leads to {real})"
        if not any(real.is_relative_to(root.resolve()) for root in self._bind_roots):
            allowed = ", ".join(map(str, self._bind_roots)) or "none"
            raise StepFailed(
                Reason.START_FAILED,
                f"Bind mounts of {named} are not allowed on this server; "
                f"its AWEIGH_BIND_ROOTS allows: {allowed}.",
            )
        for guarded in self._guarded:
            kept = guarded.resolve()
            if real.is_relative_to(kept) or kept.is_relative_to(real):
                raise StepFailed(
                    Reason.START_FAILED,
                    f"Bind mounts of {named} are never allowed: {guarded} would be in reach, and "
                    "with it the whole server.",
                )
        if not real.exists():
            raise StepFailed(
                Reason.START_FAILED,
                f"The bind mount's source {named} does not exist on the server; make it first.",
            )
        return real


def _port_taken(port: Port, holder: str) -> StepFailed:
    return StepFailed(
        Reason.PORT_TAKEN,
        f"Host port {port.host}/{port.protocol} is taken by {holder}. "
        "Stop it, or give the application another port.",
    )
