"""Which images a server runs."""

from pathlib import Path

import pytest

from aweigh.core.platform import Platform
from aweigh.deployments.step_errors import StepFailed
from aweigh.images.platform_detection import emulated
from aweigh.images.server_platforms import ServerPlatforms


@pytest.mark.parametrize(
    ("server", "image", "runs"),
    [
        ("linux/amd64", Platform("linux", "amd64"), True),
        ("linux/amd64", Platform("linux", "amd64", "v3"), True),
        ("linux/amd64", Platform("linux", "386"), True),
        ("linux/amd64", Platform("linux", "arm64"), False),
        ("linux/amd64", Platform("windows", "amd64"), False),
        ("linux/amd64", Platform("linux", ""), True),
        ("linux/amd64", Platform("", ""), True),
        ("linux/amd64", Platform("unknown", "unknown"), False),
        ("linux/amd64", Platform("wasip1", "wasm"), False),
        ("linux/arm64", Platform("linux", "arm64", "v8"), True),
        ("linux/arm64", Platform("linux", "arm", "v7"), True),
        ("linux/arm64", Platform("linux", "amd64"), False),
        ("linux/arm", Platform("linux", "arm", "v6"), True),
        ("linux/arm", Platform("linux", "arm64"), False),
        ("linux/386", Platform("linux", "amd64"), False),
    ],
)
def test_a_server_runs_what_its_machine_does(server: str, image: Platform, runs: bool) -> None:
    assert ServerPlatforms(server="local", own=Platform.parse(server)).run(image) is runs


def test_what_is_emulated_runs_as_well() -> None:
    platforms = ServerPlatforms(
        server="local", own=Platform("linux", "amd64"), emulated=(Platform("linux", "arm64"),)
    )
    arm, neither = Platform("linux", "arm", "v7"), Platform("linux", "s390x")

    platforms.refuse_foreign("shop:v1", [arm, neither])
    with pytest.raises(StepFailed, match="shop:v1 is for linux/s390x; server local is linux/amd64"):
        platforms.refuse_foreign("shop:v1", [neither])


@pytest.mark.parametrize("text", ["arm64", "linux/", "linux/arm/v7/x", "Linux/arm", "linux arm64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a platform"):
        Platform.parse(text)


def test_the_kernel_tells_what_it_emulates(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /usr/bin/qemu-aarch64\n")
    (tmp_path / "qemu-s390x").write_text("disabled\ninterpreter /usr/bin/qemu-s390x\n")

    assert emulated(tmp_path) == (Platform("linux", "arm64"),)
    assert emulated(tmp_path / "hidden") == ()
