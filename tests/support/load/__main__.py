"""`python -m tests.support.load http://127.0.0.1:8000 --rate 900 --seconds 10`"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from tests.support.load import Load, Report, Run, mixed_flows, running


def main() -> int:
    options = _options()
    load = Load(
        url=options.url, host=options.host, name=options.name, flows=mixed_flows(options.rate)
    )
    began = time.process_time()
    report = asyncio.run(_drive(load, options.seconds))
    print(describe(report))
    print(f"the load itself took {time.process_time() - began:.1f} s of processor time")
    return 1 if report.failed else 0


def describe(report: Report) -> str:
    lines = [f"{report.sent} sent, {report.answered} answered, {report.failed} failed"]
    lines += [f"  {kind}: {count}" for kind, count in sorted(report.kinds.items())]
    lines += [f"  version {version}: {count}" for version, count in report.versions.items()]
    for flow, latency in report.latencies.items():
        p50, p99, maximum = (
            f"{seconds * 1000:.1f}" for seconds in (latency.p50, latency.p99, latency.maximum)
        )
        lines.append(f"  latency of {flow}: p50 {p50} ms, p99 {p99} ms, max {maximum} ms")
    for failure in report.failures[:10]:
        lines.append(f"  {failure.time:.3f} {failure.flow}: {failure.kind} {failure.detail}")
    return "\n".join(lines)


async def _drive(load: Load, seconds: float) -> Report:
    async with running(load) as run:
        progress = asyncio.create_task(_show_progress(run))
        await asyncio.sleep(seconds)
        progress.cancel()
    return run.report()


async def _show_progress(run: Run) -> None:
    while True:
        await asyncio.sleep(1)
        print(f"{run.sent} sent, {run.in_flight} in flight, {run.failed} failed", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.support.load")
    parser.add_argument("url", help="http://address:port")
    parser.add_argument("--host", help="the Host header, if it is not the address")
    parser.add_argument("--name", help="the X-Name every answer must have")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
