"""A deployment by a script: the steps of Aweigh, without Temporal, API and database."""

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.plain_docker import HEALTH, PORT, PlainContainer, PlainDocker
from benchmarks.traefik import BareTraefik

POLL_SECONDS = 0.02
#: As Aweigh: Traefik's API and its routing change within milliseconds of each other.
GUARD_SECONDS = 0.1


@dataclass
class BareDeployer:
    """One application, deployed again and again."""

    plain: PlainDocker
    traefik: BareTraefik
    number: int = 0
    live: PlainContainer | None = None
    steps: dict[str, float] = field(default_factory=dict)

    def deploy(self, image: str) -> dict[str, float]:
        """The seconds of each step, under Aweigh's names."""
        self.number += 1
        self.steps = {}
        with self._timed("pull"):
            self._ensure_image(image)
        with self._timed("create"):
            new = self.plain.start("script", image)
        with self._timed("health"):
            until_healthy(new)
        with self._timed("switch"):
            self.traefik.write(self.number, new)
            self.traefik.verify(self.number, new)
        if self.live:
            with self._timed("drain"):
                until_drained(self.live)
            with self._timed("remove"):
                self.plain.remove(self.live)
        self.live = new
        return self.steps

    def clear(self) -> None:
        if self.live:
            self.plain.remove(self.live)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.steps[step] = time.monotonic() - began

    def _ensure_image(self, image: str) -> None:
        client = self.plain.client
        if not client.images(name=image):
            repository, _, tag = image.rpartition(":")
            for event in client.pull(repository, tag=tag, stream=True, decode=True, auth_config={}):
                if "error" in event:
                    raise RuntimeError(event["error"])
        client.tag(image, f"{self.plain.prefix}/script", str(self.number), force=True)


def until_healthy(container: PlainContainer) -> None:
    while not _is_healthy(container):
        time.sleep(POLL_SECONDS)


def _is_healthy(container: PlainContainer) -> bool:
    with (
        suppress(OSError, http.client.HTTPException),
        closing(http.client.HTTPConnection(container.address, PORT, timeout=5)) as connection,
    ):
        connection.request("GET", HEALTH)
        return connection.getresponse().status == 200
    return False


def until_drained(container: PlainContainer) -> None:
    """Wait until the proxy has no connection to it."""
    time.sleep(GUARD_SECONDS)
    while _connections(container):
        time.sleep(GUARD_SECONDS)


def _connections(container: PlainContainer) -> int:
    states = ["state", "established", "state", "syn-sent", "state", "close-wait"]
    command = ["ss", "-Htn", *states, f"( dst {container.address} )"]
    done = subprocess.run(command, capture_output=True, check=True)
    return len(done.stdout.splitlines())
