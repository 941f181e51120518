"""What applications may not reach."""

import ipaddress

import pytest

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.engine.naming import Names

NAMES = Names("aweigh")


def rules(
    name: str, *, allowed: tuple[ipaddress.IPv4Network, ...] = (), private_too: bool = False
) -> tuple[str, ...]:
    isolation = ApplicationFirewall(names=NAMES, allowed=allowed, private_too=private_too)
    [found] = [one for one in isolation.chains(["169.254.169.254"]) if one.name.endswith(name)]
    return found.rules


def test_one_set_of_rules_is_for_every_network_that_applications_are_in() -> None:
    interfaces = {one.interface for one in ApplicationFirewall(names=NAMES).chains([])}
    names = [NAMES.slice_interface(0), NAMES.slice_interface(511), NAMES.common_interface("back")]

    assert interfaces == {f"{NAMES.interfaces}+"}
    assert all(name.startswith(NAMES.interfaces) and len(name) <= 15 for name in names)
    assert len(set(names)) == 3
    assert NAMES.interfaces != Names("other").interfaces


def test_name_servers_are_asked_also_where_they_are_link_local() -> None:
    """As on clouds whose metadata service is the name server too."""
    out = rules("-host")

    asked = out.index("-d 169.254.169.254 -p udp --dport 53 -j RETURN")
    refused = out.index("-d 169.254.0.0/16 -j REJECT --reject-with icmp-admin-prohibited")
    assert asked < refused


@pytest.mark.parametrize("private_too", [False, True])
@pytest.mark.parametrize(
    "metadata",
    ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"],
    ids=["link-local", "Alibaba", "Oracle", "Azure"],
)
def test_no_clouds_metadata_service_is_reached(metadata: str, private_too: bool) -> None:
    network = ipaddress.IPv4Network(metadata)
    for name in ("-out", "-host"):
        told = rules(name, private_too=private_too)
        refused = [rule.split()[1] for rule in told if rule[:2] == "-d" and "REJECT" in rule]

        assert any(network.subnet_of(ipaddress.IPv4Network(one)) for one in refused)
        assert any(f"--ctorigdst {metadata} -j REJECT" in rule for rule in told)


def test_private_networks_are_open_until_a_setting_closes_them() -> None:
    private = "-d 10.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited"

    assert [private in rules(name) for name in ("-out", "-host")] == [False, False]
    assert [private in rules(name, private_too=True) for name in ("-out", "-host")] == [True, True]


def test_what_a_setting_opens_is_let_through_before_anything_is_refused() -> None:
    opened = rules("-out", allowed=(ipaddress.IPv4Network("169.254.170.2/32"),), private_too=True)

    refusals = [number for number, rule in enumerate(opened) if "REJECT" in rule]
    assert opened.index("-d 169.254.170.2/32 -j RETURN") < min(refusals)


async def test_it_is_said_what_is_open_where_there_are_no_isolation() -> None:
    """As where the server worker does not run as root, or not beside its engine."""
    said = await ApplicationFirewall(names=Names("nobodyhasthis")).ensure()

    assert said.startswith("applications of this server can reach link-local addresses")
    assert said.endswith(("the engine's networks are not on this machine", "does not run as root"))


def test_each_bridge_carries_traffic_within_its_own_network_only() -> None:
    firewall, bridges = ApplicationFirewall(names=NAMES), ["awa0000010001", "awa0000010002"]
    [closed] = [one for one in firewall.chains([], bridges) if one.table == "security"]

    assert closed.rules[:4] == (
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-i awa0000010001 -o awa0000010001 -j RETURN",
        "-i awa0000010002 -o awa0000010002 -j RETURN",
        f"-o {NAMES.interfaces}+ -j DROP",
    )
