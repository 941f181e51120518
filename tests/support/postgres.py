"""A PostgreSQL of the tests' own: Debian's binaries, a temporary cluster, a loopback port."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.ports import free_ports

_START_SECONDS = 300


@dataclass(frozen=True)
class Postgres:
    """A running server that trusts whoever connects."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, statements: str, database: str = "postgres") -> None:
        with psycopg.connect(f"{self._address} dbname={database}", autocommit=True) as connection:
            connection.execute(statements.encode())

    def cut(self, database: str) -> None:
        """End every connection to a database, as a restart would."""
        mine = f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'"
        self.run(f"SELECT pg_terminate_backend(pid) FROM ({mine}) AS found")

    def answers(self) -> bool:
        try:
            psycopg.connect(self._address, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A new and empty cluster, of which nothing is left afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="aweigh-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")  # it refuses to run as root
    try:
        _initialise(directory)
        with _serving(directory) as postgres:
            yield postgres
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _initialise(directory: Path) -> None:
    command = [_binary("initdb"), "--pgdata", str(directory), "--auth", "trust", "--no-sync",
               "--username", "postgres", "--encoding", "UTF8", "--locale", "C"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, **_unprivileged(directory))


@contextmanager
def _serving(directory: Path) -> Iterator[Postgres]:
    postgres = Postgres(free_ports(1)[0])
    command = [_binary("postgres"), "-D", str(directory), "-p", str(postgres.port),
               "-h", "127.0.0.1", "-k", "", "-c", "fsync=off", "-c", "jit=off"]  # fmt: skip
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **_unprivileged(directory))
    try:
        _wait_for(postgres, process, directory / "log")
        yield postgres
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nobody wants its data
        process.wait(timeout=30)


def _wait_for(postgres: Postgres, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not postgres.answers():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _unprivileged(directory: Path) -> Mapping[str, Any]:
    if os.geteuid() != 0:
        return {"cwd": directory}
    return {"cwd": directory, "user": "postgres", "group": "postgres", "extra_groups": []}


def _binary(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, "PostgreSQL is missing; run: apt-get install -y postgresql"
    return str(found[-1])
