"""Mixed load on one application, from a process of its own, and what a swap did to it.

`python -m benchmarks.traffic URL HOST RATE VERSION` loads until its input ends, then prints what
it saw of VERSION and of the one before as JSON.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from benchmarks.plain_docker import APPLICATION
from tests.support.load import Load, Report, Run, mixed_flows, running

#: How long after the first new answer latencies still belong to the swap.
AFTER_SECONDS = 1.0
_RUNNING = b"running\n"


@dataclass(frozen=True)
class Seen:
    """What the users of the application met with."""

    sent: int
    lost: int
    kinds: dict[str, int]
    #: On the clock of `time.monotonic`, which all processes of a machine share.
    first_new: float
    #: Of requests that are answered at once: a slow one is rightly answered by the old version.
    last_old: float
    p99: float


class Traffic:
    """The load, seen from the process that started it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def stop(self) -> Seen:
        """Send no more requests, wait for the answers under way, and ask what was seen."""
        output, _ = await self._process.communicate(b"")
        return Seen(**json.loads(output))


@asynccontextmanager
async def traffic(url: str, host: str, rate: float, version: str) -> AsyncIterator[Traffic]:
    """Load that is on its way when the block begins."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.traffic", url, host, str(rate), version,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == _RUNNING
        yield Traffic(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def drive(url: str, host: str, rate: float, version: str) -> Seen:
    """Two loads, because slow requests would hide when the last quick one went to the old."""
    flows = mixed_flows(rate)
    quick, slow = (
        Load(url=url, host=host, name=APPLICATION, flows=tuple(chosen))
        for chosen in (
            [flow for flow in flows if flow.name != "slow"],
            [flow for flow in flows if flow.name == "slow"],
        )
    )
    async with running(quick) as run, running(slow) as slow_run:
        sys.stdout.buffer.write(_RUNNING)
        sys.stdout.flush()
        during = asyncio.create_task(_report_of_swap(run, version))
        await asyncio.to_thread(sys.stdin.read)
        await during
    return _seen(run.report(), slow_run.report(), during.result(), version)


async def _report_of_swap(run: Run, version: str) -> Report:
    await run.until(lambda: version in run.versions)
    await asyncio.sleep(AFTER_SECONDS)
    return run.report()


def _seen(quick: Report, slow: Report, during: Report, version: str) -> Seen:
    return Seen(
        sent=quick.sent + slow.sent,
        lost=quick.failed + slow.failed,
        kinds={
            kind: quick.kinds.get(kind, 0) + slow.kinds.get(kind, 0)
            for kind in {*quick.kinds, *slow.kinds}
            if kind != "ok"
        },
        first_new=quick.first_seen[version],
        last_old=max(
            (at for known, at in quick.last_seen.items() if known != version), default=0.0
        ),
        p99=max(latency.p99 for latency in during.latencies.values()),
    )


def main() -> None:
    url, host, rate, version = sys.argv[1:]
    seen = asyncio.run(drive(url, host, float(rate), version))
    print(json.dumps(asdict(seen)))


if __name__ == "__main__":
    main()
