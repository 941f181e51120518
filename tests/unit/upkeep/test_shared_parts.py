"""What the reconciler restores for all applications and builds."""

from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from aweigh.builds.network import BuildNetwork
from aweigh.containers.build_firewall import Firewall
from aweigh.containers.iptables import CannotConfine
from aweigh.upkeep.findings import FindingsBuilder
from aweigh.upkeep.shared_parts import SharedParts
from tests.support.fake_parts import FakeParts


@dataclass(frozen=True, kw_only=True)
class BrokenFirewall(Firewall):
    """It cannot be set."""

    async def restore(self) -> None:
        raise CannotConfine("no table security")


def shared(parts: FakeParts, builds: BuildNetwork) -> SharedParts:
    return SharedParts(parts.firewall, builds, parts.proxy, parts.route_files)


async def test_the_packet_filter_of_builds_is_restored(parts: FakeParts) -> None:
    findings = FindingsBuilder()

    await shared(parts, parts.build_network).ensure(findings)

    assert parts.build_firewall.calls == ["restore"]
    assert findings.skipped == []


@pytest.mark.parametrize("may_be_open", [False, True])
async def test_builds_that_cannot_be_confined_are_logged_unless_a_setting_allows_it(
    parts: FakeParts, may_be_open: bool
) -> None:
    builds = BuildNetwork(
        "build", parts.networks, BrokenFirewall(interface="awb0"), may_be_open=may_be_open
    )

    with capture_logs() as logs:
        await shared(parts, builds).ensure(FindingsBuilder())

    said = [one["event"] for one in logs if "no table security" in one["event"]]
    assert len(said) == (0 if may_be_open else 1)
