"""What the scripts find on a machine, and what they would install there."""

import subprocess
from pathlib import Path

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
