"""A server's settings for builds."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHARE_OF_MEMORY: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class ServerBuildSettings:
    buildkit_image: str
    lifecycle_image: str
    #: Builders of these repositories may use the engine with their own lifecycle; those of others
    #: run without access to the engine.
    trusted_builders: tuple[str, ...]
    #: The engine's socket, which the phases that write images get.
    socket: Path
    #: The maximum size of a deployment's log.
    log_bytes: int

    @property
    def cpus(self) -> float:
        """All processors but one, which is left for everything else; at least one."""
        return float(max((os.cpu_count() or 1) - 1, 1))

    @property
    def memory_bytes(self) -> int:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(total * _SHARE_OF_MEMORY)
