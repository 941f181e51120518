"""Command line tools and what they print."""

import sys
from pathlib import Path

from aweigh.core.subprocesses import run_tool
from aweigh.core.text import CUT
from aweigh.secrets.masking import HIDDEN
from aweigh.secrets.value import mask

SECRET = "correct-horse-battery"


async def run(code: str) -> tuple[list[str], list[str]]:
    told: list[str] = []
    command = [sys.executable, "-c", code]
    _, lines = await run_tool(command, env={}, directory=Path("/"), tell=told.append)
    return told, lines


async def test_a_line_without_an_end_is_cut_and_says_so_and_hides_what_was_cut() -> None:
    told, lines = await run(f"print({SECRET!r} * 8_000, end='')")

    cut, rest = told, lines[-1]
    assert cut
    assert {line[-1] for line in cut} == {CUT}
    assert "".join(line.removesuffix(CUT) for line in [*cut, rest]) == SECRET * 8_000
    masked = mask("\n".join(lines), [SECRET])
    assert set(masked) <= set(f"{HIDDEN}{CUT}\n")


async def test_the_last_lines_hold_a_wrapped_secret_whole() -> None:
    _, lines = await run("for number in range(2000): print(f'{number:099}')")

    assert len(lines) > 1000
    assert len("".join(lines)) <= 256 * 1024
