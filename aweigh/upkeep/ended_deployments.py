"""Removes what ended deployments left on a server: files, build containers and volumes."""

from functools import partial

from aweigh.builds.containers import BuildContainers
from aweigh.core.background_tasks import BackgroundTasks
from aweigh.servers.journal import Journal
from aweigh.upkeep.findings import FindingsBuilder


class EndedDeployments:
    def __init__(self, journal: Journal, builds: BuildContainers) -> None:
        self._journal = journal
        self._builds = builds
        self._background = BackgroundTasks()

    async def seen(self) -> tuple[set[str], set[str]]:
        """Return the deployments with files in the journal, and those with remains of builds."""
        return set(self._journal.deployments()), await self._builds.deployments()

    async def discard(
        self, seen: tuple[set[str], set[str]], wanted: set[str], findings: FindingsBuilder
    ) -> None:
        """Remove files and build remains of deployments that are not wanted any more."""
        journalled, built = seen
        for deployment_id in sorted(journalled - wanted):
            with findings.isolating(deployment_id):
                self._journal.forget(deployment_id)
        for deployment_id in sorted(built - wanted):
            with findings.isolating(deployment_id):
                work = partial(self._builds.discard, deployment_id)
                await self._background.wait(deployment_id, work)
