"""Detects the platforms this server runs: its engine's, and those that its kernel emulates.

https://docs.kernel.org/admin-guide/binfmt-misc.html
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from aweigh.core.platform import Platform
from aweigh.engine.engine import Engine
from aweigh.images.server_platforms import ServerPlatforms

_REGISTERED: Final = Path("/proc/sys/fs/binfmt_misc")
#: By the names under which qemu's packages and images, and Docker Desktop, register them.
_ARCHITECTURES: Final[Mapping[str, str]] = {
    "qemu-x86_64": "amd64", "rosetta": "amd64", "qemu-aarch64": "arm64", "qemu-arm": "arm",
    "qemu-i386": "386", "qemu-ppc64le": "ppc64le", "qemu-riscv64": "riscv64",
    "qemu-s390x": "s390x", "qemu-loongarch64": "loong64", "qemu-mips64el": "mips64le",
}  # fmt: skip


async def platforms_of(engine: Engine, server: str, named: Iterable[Platform]) -> ServerPlatforms:
    """Return the platforms of an engine, with those that the settings `named`.

    Raises:
        StepError: the engine does not answer.
    """
    about = await engine.call("ask for its platform", lambda c: c.version())
    own = Platform(str(about.get("Os", "")), str(about.get("Arch", "")))
    return ServerPlatforms(server=server, own=own, emulated=(*named, *emulated()))


def emulated(registered: Path = _REGISTERED) -> tuple[Platform, ...]:
    """Return the emulated platforms; none if the kernel does not list them."""
    return tuple(
        Platform("linux", architecture)
        for name, architecture in _ARCHITECTURES.items()
        if _is_enabled(registered / name)
    )


def _is_enabled(entry: Path) -> bool:
    try:
        return entry.read_text(errors="replace").startswith("enabled")
    except OSError:
        return False
