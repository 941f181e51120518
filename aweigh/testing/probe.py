"""A probe that sees what a test says is there."""

from aweigh.deployments.application import HealthCheck
from aweigh.health.check import ProbeResult
from aweigh.health.probe import Probe


class FakeProbe(Probe):
    """Sees a listener at each address and port in `listening`, which answers with that status.

    It leaves out: hosts and paths, to which every listener answers alike, and the time it takes.
    """

    def __init__(self) -> None:
        self.listening: dict[tuple[str, int], int] = {}
        #: How often anything was asked.
        self.asked = 0

    async def close(self) -> None:
        pass

    async def http(self, address: str, port: int, host: str, check: HealthCheck) -> ProbeResult:
        self.asked += 1
        url = f"http://{address}:{port}{check.path}"
        status = self.listening.get((address, port))
        if status is None:
            return ProbeResult(False, f"GET {url} got no answer: connection refused")
        return ProbeResult(check.accepts(status), f"GET {url} was answered {status}")

    async def tcp(self, address: str, port: int) -> ProbeResult:
        self.asked += 1
        if (address, port) in self.listening:
            return ProbeResult(True, f"{address}:{port} accepts connections")
        return ProbeResult(False, f"connecting to {address}:{port} failed: Connection refused")
