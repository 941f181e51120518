"""Where tests keep what is made once for each machine, outside the repository."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return the directory, which may not be there yet."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "aweigh" / "tests"
