"""The logs of the stack's parts: emptied under a part that writes, without losing a line."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.log import last_line, rotate

WRITE = """
import os, threading

def write(name):
    number = 0
    while not os.path.exists("enough"):
        os.write(1, f"{name} {number}\\n".encode())
        number += 1
    os.write(2, f"{name} {number} end\\n".encode())

threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_no_line_of_a_part_that_writes_is_lost(tmp_path: Path) -> None:
    log, older, seen = tmp_path / "part.log", tmp_path / "part.log.1", ""
    with log.open("ab") as output:
        part = subprocess.Popen(
            [sys.executable, "-c", WRITE], cwd=tmp_path, stdout=output, stderr=output
        )
    for _ in range(20):
        while log.stat().st_size < 10_000:
            assert part.poll() is None
        rotate(log, part.pid)
        seen += older.read_text()
    (tmp_path / "enough").touch()
    assert part.wait() == 0

    lines = (seen + log.read_text()).splitlines()
    for name in "ab":
        own = [line for line in lines if line.startswith(name)]
        numbers = [int(line.split()[1]) for line in own]
        assert numbers == list(range(len(own)))
        assert own[-1].endswith(" end")


def test_the_log_of_a_part_that_has_ended_can_be_rotated(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("its last words\n")
    with subprocess.Popen(["true"]) as part:
        part.wait()

        rotate(log, part.pid)

    assert (log.read_text(), (tmp_path / "part.log.1").read_text()) == ("", "its last words\n")


@pytest.mark.parametrize(
    ("text", "last"),
    [("", ""), ("one\n", "one"), ("one\ntwo\n\n", "two"), ("x" * 10_000_000 + "\nend\n", "end")],
)
def test_the_last_line_is_the_last_that_says_something(
    tmp_path: Path, text: str, last: str
) -> None:
    (tmp_path / "part.log").write_text(text)

    assert last_line(tmp_path / "part.log") == last


def test_without_a_log_nothing_was_said(tmp_path: Path) -> None:
    assert last_line(tmp_path / "part.log") == ""
