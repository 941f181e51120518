"""The processes that ask apprise about an address."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from aweigh.core.errors import Unavailable
from aweigh.notifications.senders.address_check import AddressChecks
from tests.support.outside import until

ZULIP = f"zulip://bot@org/{'A1' * 16}/ops"


def checks(script: str, *, seconds: float = 300) -> AddressChecks:
    return AddressChecks(["/bin/sh", "-c", script], seconds=seconds)


@pytest.mark.parametrize(
    ("url", "receivers"),
    [
        (ZULIP, 1),
        (f"{ZULIP}/dev", 2),
        ("tgram://123456789:AAabcdefghijklmnopqrstuvwxyz012345/-100/200/300", 3),
        ("slack://T12345678/B12345678/abcDEFghiJKLabcDEFghiJKL/%23a/%23b", 2),
    ],
)
async def test_receivers_of_an_address_are_counted(url: str, receivers: int) -> None:
    found = await AddressChecks().check(url)

    assert (found.refusal, found.receivers) == (None, receivers)


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("zulip://bot@org/horse-battery", "apprise does not accept the address ("),
        ("gotifys://1.example.com/horse-battery", "apprise does not accept the address ("),
        ("humhubs://u:horse@h.example.com/1/battery", "apprise does not accept a part of"),
    ],
)
async def test_refusal_holds_nothing_of_the_address(url: str, refusal: str) -> None:
    found = await AddressChecks().check(url)

    assert found.refusal is not None
    assert found.refusal.startswith(refusal)
    assert not {word for word in ("horse", "battery", "example") if word in found.refusal}


@pytest.mark.parametrize(
    "script", ["exit 3", "echo nonsense", "echo '{\"x\": 1}'", "echo []", "exec yes", "kill -9 $$"]
)
async def test_process_without_an_answer_is_a_failure_of_the_check(script: str) -> None:
    with pytest.raises(Unavailable, match="ended without an answer; nothing was stored"):
        await checks(script).check(ZULIP)


async def test_process_that_hangs_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    with pytest.raises(Unavailable, match="could not be checked within 5 seconds"):
        await checks(f"echo $$ > {pid}; exec sleep 1000", seconds=5).check(ZULIP)

    assert not Path("/proc", pid.read_text().strip()).exists()


async def test_address_is_passed_neither_in_arguments_nor_in_the_environment(
    tmp_path: Path,
) -> None:
    seen, given = tmp_path / "seen", tmp_path / "given"

    with pytest.raises(Unavailable):
        await checks(f"cat > {given}; (cat /proc/$$/cmdline; env) > {seen}").check(ZULIP)

    assert ZULIP in given.read_text()
    assert "A1A1" not in seen.read_text()


async def test_few_checks_run_at_a_time(tmp_path: Path) -> None:
    asking = checks(f"touch {tmp_path}/$$; exec sleep 1000")
    tasks = [asyncio.ensure_future(asking.check(ZULIP)) for _ in range(6)]

    async def two() -> bool:
        return len(list(tmp_path.iterdir())) == 2

    await until(two)
    tasks.pop(0).cancel()

    async def three() -> bool:
        return len(list(tmp_path.iterdir())) == 3

    await until(three)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 9))", "socket.getaddrinfo('example.com', 443)",
        "socket.socket()", "subprocess.run(['true'])", "open('/etc/passwd')",
    ],
)  # fmt: skip
def test_apprise_connects_to_nothing_while_it_is_asked(attempt: str) -> None:
    program = (
        "import socket, subprocess\n"
        "from aweigh.notifications.senders.child_guard import OfflineGuard\n"
        f"OfflineGuard().install()\n{attempt}\n"
    )

    ended = subprocess.run([sys.executable, "-I", "-c", program], stderr=subprocess.PIPE, text=True)

    assert ended.returncode == 1
    assert "PermissionError" in ended.stderr
