"""A Docker engine of a test's own, which may be restarted: nobody else has containers on it.

It has a network of its own and its own view of mounts, so its rules and file systems end with it.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker

_START_SECONDS = 300


class OwnEngine:
    """An engine in the namespaces of one process."""

    def __init__(self, directory: Path, holder: int) -> None:
        self._directory = directory
        self._within = ["nsenter", f"--net=/proc/{holder}/ns/net", f"--mount=/proc/{holder}/ns/mnt"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self._directory / 'sock'}"

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.host, version="auto")

    def start(self) -> None:
        subprocess.run([*self._within, "ip", "link", "set", "lo", "up"], check=True)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._within, "dockerd", "--host", self.host,
                 "--data-root", self._directory / "data", "--exec-root", self._directory / "exec",
                 "--pidfile", self._directory / "pid"],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self._directory / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.connect(str(self._directory / "sock"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(32)
        return False

    def stop(self) -> None:
        """As a service manager does: it stops its containers first."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_START_SECONDS)

    def take(self, other: docker.DockerClient, image: str) -> None:
        """Have an image that another engine has."""
        client = self.client()
        client.images.load(b"".join(other.images.get(image).save(named=True)))
        client.close()


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """An engine that runs, and of which nothing is left afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="awe-"))  # short: sockets' paths must be
    holder = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
    try:
        _until_it_has_its_own(holder.pid)
        engine = OwnEngine(directory, holder.pid)
        engine.start()
        try:
            yield engine
        finally:
            engine.stop()
    finally:
        holder.kill()
        holder.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _until_it_has_its_own(pid: int) -> None:
    mine = Path("/proc/self/ns/mnt").readlink()
    while Path(f"/proc/{pid}/ns/mnt").readlink() == mine:
        time.sleep(0.01)
