from __future__ import annotations

import asyncio
import socket
import sys

from tests.support.load import Failure, Latency, Report
from tests.support.load.__main__ import describe

REPORT = Report(
    sent=3,
    answered=2,
    failed=1,
    kinds={"ok": 2, "eof": 1},
    versions={"v1": 2},
    first_seen={"v1": 1.0},
    last_seen={"v1": 2.0},
    latencies={"get": Latency(p50=0.001, p99=0.0025, maximum=1.0)},
    failures=(Failure(time=1.5, flow="get", kind="eof", detail="closed before the answer"),),
)


def test_the_summary_is_for_people() -> None:
    assert describe(REPORT).splitlines() == [
        "3 sent, 2 answered, 1 failed",
        "  eof: 1",
        "  ok: 2",
        "  version v1: 2",
        "  latency of get: p50 1.0 ms, p99 2.5 ms, max 1000.0 ms",
        "  1.500 get: eof closed before the answer",
    ]


async def test_the_command_fails_when_requests_were_lost() -> None:
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        host, port = bound_but_not_listening.getsockname()
        options = ("--rate", "50", "--seconds", "0.1")

        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.load", f"http://{host}:{port}", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()

    assert process.returncode == 1
    assert b"connect_error: " in output
