"""The reconciler of a server: compares what runs there with what the database expects."""

from aweigh.contract import Findings
from aweigh.engine.container import Container
from aweigh.upkeep.application_reconciler import ApplicationReconciler
from aweigh.upkeep.ended_deployments import EndedDeployments
from aweigh.upkeep.findings import FindingsBuilder
from aweigh.upkeep.server_inventory import ServerInventory
from aweigh.upkeep.shared_parts import SharedParts
from aweigh.upkeep.sweep import Sweep


class Reconciler:
    """Removes leftovers, restores what is missing, and reports the rest.

    It uses the steps' own lock.
    """

    def __init__(
        self,
        inventory: ServerInventory,
        shared_parts: SharedParts,
        applications: ApplicationReconciler,
        ended: EndedDeployments,
        sweep: Sweep,
    ) -> None:
        self._inventory = inventory
        self._shared_parts = shared_parts
        self._applications = applications
        self._ended = ended
        self._sweep = sweep

    async def reconcile(self, run_id: str = "") -> Findings:
        """Reconcile the whole server; return which deployments are live and answer.

        Raises:
            Unavailable: the API does not answer.
            StepError: the engine does not answer.
        """
        seen = await self._ended.seen()
        state = await self._inventory.take()
        inventory = state.inventory
        findings = FindingsBuilder(
            skipped=list(inventory.skipped), unsure=set(inventory.left_alone)
        )
        removed = await self._inventory.removed_applications(state, findings)
        await self._shared_parts.ensure(findings)
        outgoing: dict[str, list[Container]] = {}
        for application in (*inventory.applications, *removed):
            with findings.isolating(application.slug):
                here = state.containers_of(application)
                stopping = await self._applications.reconcile(application, here, findings)
                if stopping is not None:
                    outgoing[application.id] = stopping
                    await self._sweep.application(application)
        with findings.isolating("leftovers"):
            await self._applications.stop(outgoing)
        await self._ended.discard(seen, state.wanted, findings)
        with findings.isolating("images"):
            await self._sweep.pulled_images()
        with findings.isolating("images for builds"):
            await self._sweep.build_images()
        with findings.isolating("networks"):
            await self._sweep.networks()
        return findings.build(run_id)
