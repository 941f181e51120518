"""What a swap costs those who use the application, and how soon the new version is live."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Spread, milliseconds, ratio
from benchmarks.kamal import VERSION, running_kamal_proxy
from benchmarks.machine import AS_SHIPPED
from benchmarks.page import Table
from benchmarks.plain_docker import HOST, PlainDocker, free_port, open_plain_docker
from benchmarks.swap_methods import Aweigh, Kamal, Overwriting, Replacing, SwapMethod
from benchmarks.traefik import running_traefik
from benchmarks.traffic import Seen, traffic
from tests.support.stack import running_stack

RATE = 600
BEFORE_SECONDS = 1.0
AFTER_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Swap:
    seen: Seen
    first: float
    """From asking until the first answer of the new version."""
    all: float
    """From asking until every answer is of the new version, or none comes from the old."""


async def measure(directory: Path, *, quick: bool) -> Sequence[Table]:
    rounds = 2 if quick else 8
    swaps: defaultdict[str, list[Swap]] = defaultdict(list)
    with open_plain_docker() as plain:
        async with all_methods(plain, directory) as methods:
            for number in range(rounds + 1):
                await asyncio.to_thread(plain.make_version, f"v{number}")
            for method in methods:
                await method.deploy("v0")
            for number in range(1, rounds + 1):
                for method in methods:
                    swaps[method.name].append(await swap(method, f"v{number}"))
    return [lost_table(swaps), ratio_table(swaps)]


@asynccontextmanager
async def all_methods(plain: PlainDocker, directory: Path) -> AsyncIterator[Sequence[SwapMethod]]:
    async with (
        running_stack(directory, **AS_SHIPPED) as stack,
        running_traefik(directory) as bare,
        running_kamal_proxy(directory) as kamal,
    ):
        yield (
            Aweigh(stack, plain),
            Kamal(plain, kamal),
            Overwriting(plain, bare),
            Replacing(plain, free_port()),
        )


async def swap(method: SwapMethod, version: str) -> Swap:
    async with traffic(f"http://127.0.0.1:{method.port}", HOST, RATE, version) as load:
        await asyncio.sleep(BEFORE_SECONDS)
        asked = time.monotonic()
        await method.deploy(version)
        await asyncio.sleep(AFTER_SECONDS)
        seen = await load.stop()
    live = max(seen.first_new, seen.last_old)
    return Swap(seen=seen, first=seen.first_new - asked, all=live - asked)


def lost_table(swaps: dict[str, list[Swap]]) -> Table:
    return Table(
        title=f"Swaps under {RATE} requests a second, some of which take 5 s",
        columns=("way", "swaps", "requests", "lost in all", "lost per swap", "how"),
        rows=[
            (
                name,
                str(len(done)),
                str(sum(one.seen.sent for one in done)),
                str(sum(one.seen.lost for one in done)),
                Spread.of(one.seen.lost for one in done).text(),
                _kinds(done),
            )
            for name, done in swaps.items()
        ],
    )


def _kinds(done: Sequence[Swap]) -> str:
    return ", ".join(sorted({kind for one in done for kind in one.seen.kinds})) or "-"


def ratio_table(swaps: dict[str, list[Swap]]) -> Table:
    reference = swaps[Kamal.name]
    return Table(
        title=f"The same swaps against kamal-proxy {VERSION}",
        columns=(
            "way", "first new answer", "ms", "only new answers", "ms", "p99 during the swap", "ms",
        ),
        rows=[
            (
                name,
                *_against([one.first for one in done], [one.first for one in reference]),
                *_against([one.all for one in done], [one.all for one in reference]),
                *_against([one.seen.p99 for one in done], [one.seen.p99 for one in reference]),
            )
            for name, done in swaps.items()
        ],
    )  # fmt: skip


def _against(measured: Sequence[float], reference: Sequence[float]) -> tuple[str, str]:
    return ratio(measured, reference).text(digits=2), milliseconds(measured)
