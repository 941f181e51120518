"""What must exist before a release's containers."""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from structlog.testing import capture_logs

from aweigh.testing.networks import FakeApplicationFirewall
from tests.support.fake_parts import FakeParts, image_of


@dataclass(frozen=True, kw_only=True)
class FailingFirewall(FakeApplicationFirewall):
    """A packet filter that says what it is told to."""

    warnings: deque[str] = field(default_factory=deque)

    async def ensure(self) -> str:
        return self.warnings.popleft()


class ExposedParts(FakeParts):
    @cached_property
    def firewall(self) -> FailingFirewall:
        return FailingFirewall(names=self.installation.names)


async def test_a_packet_filter_that_cannot_be_set_is_logged_once_and_fails_no_deployment(
    tmp_path: Path,
) -> None:
    """It can break between the preflight and the containers: then nobody else would say so."""
    parts = ExposedParts(tmp_path)
    parts.firewall.warnings.extend(["no iptables", "no iptables", "", "no iptables", "no table"])
    release = parts.release(1)

    with capture_logs() as logs:
        while parts.firewall.warnings:
            async with parts.prerequisites.ensured(release, image_of(release)):
                pass

    warnings = [one["event"] for one in logs if one["log_level"] == "warning"]
    assert warnings == ["no iptables", "no iptables", "no table"]
