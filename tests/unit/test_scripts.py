"""What the scripts find on a machine, and what they would install there."""

import shutil
import subprocess
from pathlib import Path

import pytest

ENVIRONMENT = Path(__file__).parents[2] / "scripts" / "environment.sh"


def said(*lines: str) -> str:
    """What it says when these lines follow it on a machine without a running engine."""
    script = "\n".join([
        f". {ENVIRONMENT}",
        "engine_answers() { return 1; }",
        'install_packages() { echo "installs $*"; exit; }',
        *lines,
    ])  # fmt: skip
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_an_engine_comes_with_what_it_only_recommends_and_cannot_do_without() -> None:
    assert said("installed() { return 1; }", "ensure_engine") == (
        "installs docker.io ca-certificates apparmor\n"
    )


def test_a_stopped_engine_is_not_missing_for_others_than_root() -> None:
    stopped = said("as_root() { return 1; }", "installed() { [ $1 = dockerd ]; }", "ensure_engine")

    assert "no Docker engine runs; start it as root" in stopped


def test_programs_of_root_are_found_without_its_path() -> None:
    assert said("PATH=/usr/bin:/bin", "installed chroot && echo found") == "found\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose programs say what they were started with."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ENVIRONMENT.with_name("up"), scripts)
    (scripts / "environment.sh").write_text(
        f"root={tmp_path}; ensure_environment() {{ :; }}; ensure_engine() {{ :; }}\n"
    )
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("aweigh", "python"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "started"),
    [
        ([], "aweigh up\n"),
        (["--demo"], "python -m examples.demo\n"),
        (["--demo", "--once"], "python -m examples.demo --once\n"),
        (["--once", "--demo"], "python -m examples.demo --once\n"),
        (["--unknown"], "aweigh up --unknown\n"),
    ],
)
def test_up_starts_the_stack_or_the_demo(checkout: Path, options: list[str], started: str) -> None:
    said = subprocess.run([checkout / "scripts" / "up", *options], capture_output=True, text=True)

    assert said.stdout == started


def test_up_explains_itself_without_installing_anything(checkout: Path) -> None:
    said = subprocess.run(
        [checkout / "scripts" / "up", "--demo", "--help"], capture_output=True, text=True
    )

    assert said.returncode == 0
    assert "--demo" in said.stdout
    assert "python" not in said.stdout
