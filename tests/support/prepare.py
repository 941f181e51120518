"""What tests need that takes minutes once for each machine: `python -m tests.support.prepare`.

It comes before the tests, so that none of their time limits counts the work of a compiler.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

import docker

from examples.demo.builder.image import build_lifecycle, has_lifecycle
from examples.demo.image import base_image
from tests.support.builder import LIFECYCLE
from tests.support.buildkit_image import PROGRAMS, build_programs
from tests.support.verifying import prepared

_SAY_SECONDS = 15


def prepare() -> None:
    """Make what is missing, one after the other, and say how long each takes."""
    if not has_lifecycle(LIFECYCLE):
        _watched("Building the lifecycle of buildpacks", lambda: build_lifecycle(LIFECYCLE))
    if not PROGRAMS.exists():
        _watched("Building BuildKit", lambda: build_programs(PROGRAMS))
    _watched("Preparing receivers of webhooks in Node and Go", prepared)
    engine = docker.DockerClient(base_url="unix:///var/run/docker.sock", version="auto")
    _watched("Importing this machine's Python as an image", lambda: base_image(engine))
    engine.close()


def _watched(what: str, work: Callable[[], object]) -> None:
    print(f"{what} ...", flush=True)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as executor:
        done = executor.submit(work)
        while True:
            try:
                done.result(_SAY_SECONDS)
            except NotYet:
                print(f"  {time.monotonic() - began:.0f} s ...", flush=True)
            else:
                return


if __name__ == "__main__":
    try:
        prepare()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stderr or ''}")
