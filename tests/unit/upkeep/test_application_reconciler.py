"""One application with a slow program keeps no other from its reconciliation."""

import asyncio

import pytest

from aweigh.contract import KnownApplication, KnownDeployment
from aweigh.core.background_tasks import BackgroundTasks
from aweigh.deployments.deployment import DeploymentState
from aweigh.upkeep.application_reconciler import ApplicationReconciler
from aweigh.upkeep.findings import FindingsBuilder
from tests.support.fake_parts import APPLICATION, FakeParts
from worker.server_wiring import ServerWiring

SECONDS = 20


@pytest.fixture
def reconciler(parts: FakeParts) -> ApplicationReconciler:
    return ServerWiring(parts, parts.api)._application_reconciler


def both_succeeded() -> KnownApplication:
    deployments = tuple(
        KnownDeployment(id=f"dep_{sequence}", sequence=sequence, state=DeploymentState.SUCCEEDED)
        for sequence in (1, 2)
    )
    return KnownApplication(
        id=APPLICATION, slug="shop", live="dep_2", highest_sequence=2, deployments=deployments
    )


async def test_old_containers_are_left_to_be_stopped_after_the_findings(
    parts: FakeParts, reconciler: ApplicationReconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.made_live(parts.routed(1))
    await parts.made_live(parts.routed(2))
    containers = await parts.containers.of_application(APPLICATION)
    findings, may_end = FindingsBuilder(), asyncio.Event()

    outgoing = await reconciler.reconcile(both_succeeded(), containers, findings)

    assert outgoing is not None
    assert [one.name for one in outgoing] == [parts.installation.names.container("shop", 1, 0)]
    assert findings.live == {"dep_2"}

    async def stop(name: str) -> None:
        await may_end.wait()

    monkeypatch.setattr(parts.engine, "stop", stop)
    reconciler._background = BackgroundTasks(seconds=0.01)
    await reconciler.stop({APPLICATION: outgoing})  # returns, though the program goes on
    assert len(await parts.statuses()) == 2

    may_end.set()
    async with asyncio.timeout(SECONDS):
        while len(await parts.statuses()) == 2:
            await asyncio.sleep(0)


async def test_nothing_is_done_while_a_newer_deployment_runs(
    parts: FakeParts, reconciler: ApplicationReconciler
) -> None:
    await parts.made_live(parts.routed(1))
    await parts.created(parts.routed(3))
    containers = await parts.containers.of_application(APPLICATION)

    assert await reconciler.reconcile(both_succeeded(), containers, FindingsBuilder()) is None
    assert len(await parts.statuses()) == 2
