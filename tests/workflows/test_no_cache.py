"""Without a cache every workflow task replays the history: what is not deterministic shows."""

from tests.support.stage import start_temporal, theatre


async def test_a_deployment_and_its_successor_replay_at_every_task() -> None:
    async with (
        await start_temporal() as started,
        theatre(started.client, max_cached_workflows=0) as house,
        house.stage() as stage,
    ):
        stage.world.hold("health", f"{stage.name}.1")
        await stage.submit(stage.turn(1))
        await stage.world.reached[f"{stage.name}.1", "health"].wait()
        await stage.submit(stage.turn(2))
        await stage.ended(1, 2)

        assert stage.world.live == f"{stage.name}.2"
