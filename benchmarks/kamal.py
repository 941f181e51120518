"""kamal-proxy, built from its own source at a fixed version, run as a process of this machine."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.background import program, until_listening
from benchmarks.go import go_program
from benchmarks.plain_docker import HEALTH, HOST, PORT, free_port

VERSION = "v0.9.2"
PACKAGE = "github.com/basecamp/kamal-proxy/cmd/kamal-proxy"
SOURCE = Path(__file__).parent / "kamal-proxy"
#: As often as Aweigh's own gate asks at first. Its default, a second, would only slow it down.
INTERVAL = "20ms"


@dataclass(frozen=True)
class KamalProxy:
    binary: Path
    state: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """Its state and its socket lie where these point."""
        return {"HOME": str(self.state), "XDG_RUNTIME_DIR": str(self.state)}

    def deploy(self, service: str, address: str) -> None:
        """Returns when the target answers, has taken over, and the one before it is drained."""
        subprocess.run(
            [
                self.binary, "deploy", service, "--target", f"{address}:{PORT}", "--host", HOST,
                "--health-check-path", HEALTH, "--health-check-interval", INTERVAL,
            ],
            env={**os.environ, **self.environment}, check=True, capture_output=True,
        )  # fmt: skip


@asynccontextmanager
async def running_kamal_proxy(directory: Path) -> AsyncIterator[KamalProxy]:
    binary = await asyncio.to_thread(go_program, SOURCE, PACKAGE, f"kamal-proxy-{VERSION}")
    proxy = KamalProxy(binary, directory / "kamal", free_port())
    proxy.state.mkdir()
    ports = ["--http-port", str(proxy.port), "--https-port", str(free_port())]
    log = directory / "kamal-proxy.log"
    async with program([binary, "run", *ports], log, proxy.environment) as process:
        await until_listening(process, proxy.port, log)
        yield proxy
