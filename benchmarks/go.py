"""Programs to compare with, built from their own source at a fixed version."""

import os
import subprocess
from pathlib import Path


def go_program(module: Path, package: str, name: str) -> Path:
    """The binary, kept in the user's cache directory; the module's go.sum says what it is made of.

    Raises:
        CalledProcessError: Go cannot build it, and has said why.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = caches / "aweigh" / "benchmarks" / name
    if binary.exists():
        return binary
    print(f"Building {name} ...", flush=True)
    unfinished = binary.with_suffix(".new")
    subprocess.run(
        ["go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", unfinished, package],
        cwd=module, env={**os.environ, "CGO_ENABLED": "0"}, check=True,
    )  # fmt: skip
    return unfinished.replace(binary)
