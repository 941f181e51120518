"""No request is lost in a swap, and none is answered by anybody but the live application."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest

from tests.support.images import temporary_repository
from tests.support.load import running
from tests.support.shop import (
    Shop,
    containers_of,
    fast_flows,
    lost,
    opened,
    slow_flow,
    unfinished_files,
)
from tests.support.stack import Stack

pytestmark = [pytest.mark.docker, pytest.mark.load]
RATE = 520.0


@dataclass(frozen=True)
class Swap:
    """A release that takes over: how its containers take SIGTERM, and what else is new."""

    manner: str
    changes: dict[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ("/",)


# Each replaces the one before, so the manner that counts is that of the line above.
WITH_FIVE_SECOND_REQUESTS = (
    Swap("graceful"),
    Swap("ignore", {"replicas": 3}),
    Swap("exit", {"replicas": 1, "labels": {"team": "a"}}, paths=("/", "/slow")),
)
WITH_ONE_SECOND_REQUESTS = (
    Swap("exit", {"labels": {"team": "b", "tier": "gold"}}, paths=("/slow", "/")),
    Swap("ignore", {"labels": {}}),
    Swap("graceful", {"replicas": 3}),
    Swap("exit", paths=("/", "/slow")),
    Swap("graceful", {"replicas": 1, "labels": {"team": "b"}}, paths=("/", "/slow")),
    Swap("ignore", {"replicas": 3}),
    Swap("exit", {"replicas": 1}),
)
TEN_OF_EACH = tuple(
    Swap(manner, {"replicas": replicas, "labels": {"turn": str(turn)}}, paths)
    for turn in range(5)
    for replicas, paths in ((1, ("/",)), (3, ("/", "/slow")))
    for manner in ("exit", "graceful", "ignore")
)


@pytest.fixture(scope="module")
def repository(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as name:
        yield name


@pytest.fixture(scope="module")
async def neighbour(
    engine: docker.DockerClient, stack: Stack, repository: str
) -> AsyncIterator[Shop]:
    """Another application on the server, that nothing must happen to."""
    shop = Shop(stack, "neighbour", repository)
    shop.make(engine, "n1", ON_SIGTERM="exit")
    async with opened(shop, "n1"):
        yield shop


async def swap_all(
    engine: docker.DockerClient, shop: Shop, neighbour: Shop, swaps: Sequence[Swap], slow: float
) -> int:
    """Swap again and again under load; how many requests were sent."""
    first = int(shop.version.removeprefix("v"))
    versions = [f"v{number}" for number in range(first + 1, first + 1 + len(swaps))]
    for version, swap in zip(versions, swaps, strict=True):
        shop.make(engine, version, ON_SIGTERM=swap.manner)
    async with AsyncExitStack() as loads:
        flows = (*fast_flows(RATE), slow_flow(4, slow))
        run = await loads.enter_async_context(running(shop.load(flows)))
        others = await loads.enter_async_context(running(neighbour.load(fast_flows(20))))
        await run.until(lambda: run.answered > RATE)
        for version, swap in zip(versions, swaps, strict=True):
            await shop.change(
                swap.changes | {"domains": [shop.domain(path) for path in swap.paths]}
            )
            await shop.swap(run, version)
    assert run.failed == 0, lost(run.report())
    assert others.failed == 0, lost(others.report())
    assert set(run.versions) == {f"v{first}", *versions}
    return run.sent


async def test_ten_swaps_lose_no_request(
    engine: docker.DockerClient, stack: Stack, repository: str, neighbour: Shop
) -> None:
    shop = Shop(stack, "shop", repository)
    shop.make(engine, "v0", ON_SIGTERM="exit")
    async with opened(shop, "v0", stop_grace=1):
        await swap_all(engine, shop, neighbour, WITH_FIVE_SECOND_REQUESTS, slow=5)
        await swap_all(engine, shop, neighbour, WITH_ONE_SECOND_REQUESTS, slow=1)

        assert containers_of(engine, stack, "shop") == ["shop-11-0"]
        assert unfinished_files(stack) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_ten_swaps_of_each_manner_lose_no_request(
    engine: docker.DockerClient, stack: Stack, repository: str, neighbour: Shop
) -> None:
    shop = Shop(stack, "long", repository)
    shop.make(engine, "v0", ON_SIGTERM="exit")
    async with opened(shop, "v0", stop_grace=2):
        await swap_all(engine, shop, neighbour, TEN_OF_EACH, slow=5)

        assert len(containers_of(engine, stack, "long")) == TEN_OF_EACH[-1].changes["replicas"]
        assert unfinished_files(stack) == []
