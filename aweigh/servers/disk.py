"""Free space on the engine's disk."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from aweigh.core.errors import StepFailed
from aweigh.deployments.deployment import Reason


@dataclass(frozen=True)
class Reserve:
    """What pulls and builds leave free: the larger of a share and a number of bytes."""

    percent: int
    smallest: int

    def refuse_if_below(self, directory: Path, doing: str) -> None:
        """Raises: StepFailed (`disk_full`) with the figures."""
        usage = shutil.disk_usage(_existing(directory))
        reserve = max(self.smallest, usage.total * self.percent // 100)
        if usage.free < reserve:
            raise StepFailed(
                Reason.DISK_FULL,
                f"{doing} needs room: {_gigabytes(usage.free)} of {_gigabytes(usage.total)} are "
                f"free on the engine's disk, and {_gigabytes(reserve)} stay in reserve. "
                "Free some space, then retry.",
            )


def _existing(directory: Path) -> Path:
    """The engine's directory may be hidden from an ordinary user; its parents are on its disk."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory


def _gigabytes(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
