"""Free space on the engine's disk."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import StepFailed


@dataclass(frozen=True, kw_only=True)
class DiskReserve:
    """The space that pulls and builds leave free: the larger of a share and a number of bytes."""

    #: The engine's data directory, whose disk is checked.
    directory: Path
    percent: int
    least_bytes: int

    def refuse_if_below(self, activity: str) -> None:
        """Reject an activity without enough space. Raises: StepFailed (`disk_full`)."""
        usage = shutil.disk_usage(_existing(self.directory))
        reserve = max(self.least_bytes, usage.total * self.percent // 100)
        if usage.free < reserve:
            raise StepFailed(
                Reason.DISK_FULL,
                f"{activity} needs disk space: {_gigabytes(usage.free)} of "
                f"{_gigabytes(usage.total)} are free on the engine's disk, and "
                f"{_gigabytes(reserve)} must stay free. Free some space, then retry.",
            )


def _existing(directory: Path) -> Path:
    """Return the directory or its nearest visible parent, which is on the same disk."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory


def _gigabytes(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
