"""The settings of a server for its builds."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHARE_OF_MEMORY: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class BuildTools:
    buildkit_image: str
    lifecycle_image: str
    #: Repositories of builders whose own lifecycle may be given the engine; of others, only what
    #: has no access to the engine runs.
    trusted_builders: tuple[str, ...]
    #: The engine's own, which the phases that write images are given.
    socket: Path
    #: How many bytes a deployment's log takes of what is printed.
    log_bytes: int

    @property
    def cpus(self) -> float:
        """Where there are two processors, one is left for everything else."""
        return float(max((os.cpu_count() or 1) - 1, 1))

    @property
    def memory_bytes(self) -> int:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(total * _SHARE_OF_MEMORY)
