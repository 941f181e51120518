"""Finds, stops and removes the containers of one installation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from aweigh.core.tasks import gather_all
from aweigh.deployments.release import Release
from aweigh.engine.container import Container
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    APPLICATION,
    DEPLOYMENT,
    INSTANCE,
    REPLICA,
    RESTART,
    ROLE,
    SEQUENCE,
    sequence_of,
)

#: States of a container that does not run and is not restarted by the engine.
_STOPPED: Final = ("created", "exited", "dead")


class OwnContainers:
    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance

    async def find(self, name: str) -> Container | None:
        """Return the container of that name, whatever it belongs to."""
        return await self._engine.container(name)

    async def replicas(self, application: str, sequence: int) -> list[Container]:
        """Return the replicas of one generation, in order."""
        found = await self._of_deployment(application, sequence, "replica")
        return sorted(found, key=lambda one: (one.labels.get(REPLICA, "").zfill(3), one.name))

    async def replicas_of(self, release: Release) -> list[Container]:
        """Return the replicas of one deployment, in order.

        A database restored from a backup may have assigned the same sequence to another deployment;
        its replicas are left out.
        """
        found = await self.replicas(release.application, release.sequence)
        return [one for one in found if one.labels.get(DEPLOYMENT) == release.deployment]

    async def release_commands(self, application: str, sequence: int) -> list[Container]:
        """Return the container of a deployment's release command, if it exists."""
        return await self._of_deployment(application, sequence, "release")

    async def older_replicas(self, release: Release) -> list[Container]:
        """Return the replicas of all earlier generations."""
        found = await self._labelled({APPLICATION: release.application, ROLE: "replica"})
        return [one for one in found if 0 < sequence_of(one.labels) < release.sequence]

    async def others(self, release: Release) -> list[Container]:
        """Return replicas of the application's other deployments, and all its release commands."""
        return [
            one
            for one in await self.of_application(release.application)
            if one.labels.get(ROLE) == "release"
            or (
                one.labels.get(ROLE) == "replica"
                and one.labels.get(DEPLOYMENT) != release.deployment
            )
        ]

    async def of_application(self, application: str) -> list[Container]:
        return await self._labelled({APPLICATION: application})

    async def by_application(self) -> defaultdict[str, list[Container]]:
        """Return all containers that belong to an application, by the application's id."""
        found: defaultdict[str, list[Container]] = defaultdict(list)
        for one in await self._labelled({}):
            if APPLICATION in one.labels:
                found[one.labels[APPLICATION]].append(one)
        return found

    async def _of_deployment(self, application: str, sequence: int, role: str) -> list[Container]:
        labels = {APPLICATION: application, SEQUENCE: str(sequence), ROLE: role}
        return await self._labelled(labels)

    async def _labelled(self, labels: Mapping[str, str]) -> list[Container]:
        return await self._engine.containers({INSTANCE: self._instance, **labels})

    async def stop_and_remove(self, containers: Iterable[Container]) -> None:
        """Stop containers within their grace period, then remove them."""
        names = [one.name for one in containers]
        await gather_all(map(self._engine.stop, names))
        await gather_all(map(self._engine.remove, names))

    async def remove(self, containers: Iterable[Container]) -> None:
        """Kill and remove containers."""
        await gather_all(self._engine.remove(one.name) for one in containers)

    async def stop_and_keep(self, containers: Iterable[Container]) -> None:
        """Stop and keep containers, so that `run_again` can run them again.

        The restart policy is removed first, so that a restarting engine does not run them.
        """
        await gather_all(
            self._stop_and_keep(one) for one in containers if not _is_kept_stopped(one)
        )

    async def _stop_and_keep(self, container: Container) -> None:
        await self._engine.set_restart(container.name, "no")
        await self._engine.stop(container.name)

    async def run_again(self, containers: Iterable[Container]) -> None:
        """Run parked containers again with their original restart policy."""
        for container in containers:
            policy = container.labels.get(RESTART, "no")
            if container.restart != policy:  # also if it was not stopped yet
                await self._engine.set_restart(container.name, policy)
            if not container.running:
                await self._engine.start(container.name)


def _is_kept_stopped(container: Container) -> bool:
    return container.restart in ("", "no") and container.status in _STOPPED
