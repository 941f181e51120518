"""`python -m benchmarks`: every figure of docs/performance.md, measured on this machine now."""

import argparse
import asyncio
import signal
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import docker

from benchmarks import build, deploy_hook, deployment, network, notifications, swap
from benchmarks.machine import circumstances
from benchmarks.page import Section, Table, put
from benchmarks.plain_docker import SOCKET

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BENCHMARKS: dict[str, Callable[..., Awaitable[Sequence[Table]]]] = {
    "swap": swap.measure,
    "deployment": deployment.measure,
    "hook": deploy_hook.measure,
    "build": build.measure,
    "network": network.measure,
    "notifications": notifications.measure,
}


async def run(name: str, **how: Any) -> Section:
    with closing(docker.APIClient(base_url=SOCKET, version="auto")) as client:
        here = circumstances(client)
    with tempfile.TemporaryDirectory(prefix="aweigh-bench-") as directory:
        tables = await BENCHMARKS[name](Path(directory), **how)
    return Section(name=name, circumstances=here, tables=tables)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="this one (repeatable)")
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions; the figures are shown, not written"
    )
    parser.add_argument(
        "--events", type=int, default=notifications.EVENTS,
        help="for notifications: so many events (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # everything is cleaned up then, too
    for name in options.only or BENCHMARKS:
        print(f"Measuring: {name} ...", flush=True)
        how = {"events": options.events} if name == "notifications" else {}
        section = asyncio.run(run(name, quick=options.quick, **how))
        print(f"\n{section.markdown()}\n", flush=True)
        if not options.quick:
            PAGE.write_text(put(PAGE.read_text(), section))


if __name__ == "__main__":
    main()
