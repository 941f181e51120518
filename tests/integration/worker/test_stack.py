"""What the local stack refuses before it starts anything."""

import asyncio
from pathlib import Path

import pytest

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from tests.support.command_line import aweigh
from tests.support.stack import new_stack
from worker.stack import Stack


@pytest.mark.parametrize("address", ["0.0.0.0:7233", "192.168.1.5:7233", "temporal.lan:7233"])
def test_a_temporal_without_a_login_is_open_to_this_machine_only(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(StartupError, match=f"AWEIGH_TEMPORAL_ADDRESS is {address}, .*loopback"):
        Stack(Settings(data=tmp_path, temporal_address=address))


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWEIGH_LOG_LEVEL", "verbose"), ("AWEIGH_DATA", "/dev/null/data"),
     ("AWEIGH_TEMPORAL_ADDRESS", "0.0.0.0:7233"), ("AWEIGH_API_HOST", "192.168.1.5")],
)  # fmt: skip
async def test_a_wrong_setting_ends_it_with_one_line(tmp_path: Path, name: str, value: str) -> None:
    ended = await aweigh("up", **(new_stack(tmp_path).environment | {name: value}))

    assert (ended.code, ended.errors.count("\n")) == (3, 1), ended.errors
    assert ended.errors.startswith("aweigh: ")


async def test_a_stack_that_is_stopped_while_it_starts_is_never_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in new_stack(tmp_path).environment.items():
        monkeypatch.setenv(name, value)
    stop, ready = asyncio.Event(), asyncio.Event()
    stop.set()

    await Stack(Settings()).run(stop, ready)

    assert not ready.is_set()


async def test_the_command_knows_of_no_demo() -> None:
    ended = await aweigh("up", "--demo")

    assert ended.code == 2
    assert "No such option" in ended.errors
