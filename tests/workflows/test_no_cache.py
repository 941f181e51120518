"""Without a cache every workflow task replays the history: what is not deterministic shows."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tests.support.stage import Stage, start_temporal, theatre


async def test_a_deployment_and_its_successor_replay_at_every_task() -> None:
    async with (
        await start_temporal() as started,
        theatre(started.client, max_cached_workflows=0) as house,
        house.stage() as stage,
    ):
        await supersede(stage)

        assert stage.world.live == f"{stage.name}.2"


async def test_the_workflows_pass_the_full_sandbox() -> None:
    """The control worker passes our modules through, which is faster and checks less."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules("aweigh", "activities")
    runner = SandboxedWorkflowRunner(restrictions=restrictions)
    async with (
        await start_temporal() as started,
        theatre(started.client, workflow_runner=runner) as house,
        house.stage() as stage,
    ):
        await supersede(stage)

        assert stage.world.live == f"{stage.name}.2"


async def supersede(stage: Stage) -> None:
    """Run a deployment that is superseded, and its successor."""
    stage.world.hold("health", f"{stage.name}.1")
    await stage.submit(stage.turn(1))
    await stage.world.reached[f"{stage.name}.1", "health"].wait()
    await stage.submit(stage.turn(2))
    await stage.ended(1, 2)
