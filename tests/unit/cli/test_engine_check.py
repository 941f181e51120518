"""Whether an engine answers is asked with valid settings only."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("docker_host", ["", "unix:///nowhere.sock"])
def test_a_wrong_setting_stops_the_scripts_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, docker_host: str
) -> None:
    monkeypatch.setenv("AWEIGH_WEB_PORT", "http")
    monkeypatch.setenv("AWEIGH_DOCKER_HOST", docker_host)
    script = '. "$0"; ensure_engine; echo "went on"'

    done = subprocess.run(
        ["bash", "-c", script, ROOT / "scripts" / "environment.sh"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("aweigh: AWEIGH_WEB_PORT: Input should be a valid integer")
    assert done.stderr.count("\n") == 1
