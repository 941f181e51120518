"""What applications may not reach."""

import ipaddress

import pytest

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.build_firewall import METADATA
from aweigh.engine.naming import Names

NAMES = Names("aweigh")
SENT_TO = "-m conntrack --ctorigdst"


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
    assert opened.index(f"{SENT_TO} 169.254.170.2/32 -j RETURN") < min(refusals)


async def test_it_is_said_what_is_open_where_there_are_no_isolation() -> None:
    """As where the server worker does not run as root, or not beside its engine."""
    said = await ApplicationFirewall(names=Names("nobodyhasthis")).ensure()

    assert said.startswith("applications of this server can reach link-local addresses")
    assert said.endswith(("the engine's networks are not on this machine", "does not run as root"))


INTERFACES = ["awa0000010001", f"{NAMES.interfaces}0001", "br-0123456789ab", "br-lan", "docker0"]


def closed(*, private_too: bool = False) -> tuple[str, ...]:
    firewall = ApplicationFirewall(
        names=NAMES, allowed=(ipaddress.IPv4Network("10.9.0.0/16"),), private_too=private_too
    )
    chains = firewall.chains(["169.254.169.254"], INTERFACES)
    [found] = [one for one in chains if one.table == "security"]
    return found.rules


def test_each_network_is_apart_from_all_others_before_anything_is_open() -> None:
    """A bridge of the machine's local network is none of them."""
    own = f"{NAMES.interfaces}0001"

    assert closed()[:8] == (
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        f"-i {own} -o {own} -j RETURN",
        "-o awa+ -m conntrack ! --ctstate DNAT -j DROP",
        "-o awb+ -m conntrack ! --ctstate DNAT -j DROP",
        "-o docker0 -m conntrack ! --ctstate DNAT -j DROP",
        "-o docker_gwbridge -m conntrack ! --ctstate DNAT -j DROP",
        "-o br-0123456789ab -m conntrack ! --ctstate DNAT -j DROP",
        "-d 169.254.169.254 -p udp --dport 53 -j RETURN",
    )


@pytest.mark.parametrize("private_too", [False, True])
def test_published_ports_are_open_and_redirected_metadata_is_not(private_too: bool) -> None:
    rules = closed(private_too=private_too)
    published = rules.index(f"-o {NAMES.interfaces}+ -m conntrack --ctstate DNAT -j RETURN")
    private = [number for number, rule in enumerate(rules) if rule == "-d 10.0.0.0/8 -j DROP"]
    metadata = [rules.index(f"-d {network} -j DROP") for network in METADATA]
    redirected = [rules.index(f"{SENT_TO} {network} -j DROP") for network in METADATA]

    assert max(metadata + redirected) < published
    assert len(private) == private_too
    assert all(published < number for number in private)


def test_metadata_that_is_redirected_into_an_allowed_network_is_not_open() -> None:
    rules = closed()

    redirected = [rules.index(f"{SENT_TO} {network} -j DROP") for network in METADATA]
    assert max(redirected) < rules.index("-d 10.9.0.0/16 -j RETURN")


@pytest.mark.parametrize("name", ["-out", "-host", "-closed"])
def test_an_allowed_metadata_service_is_open_also_where_an_agent_answers_for_it(name: str) -> None:
    """As Amazon's agent for containers does, on this machine's loopback."""
    told = rules(name, allowed=(ipaddress.IPv4Network("169.254.170.2/32"),))

    opened = told.index(f"{SENT_TO} 169.254.170.2/32 -j RETURN")
    [closed] = [n for n, rule in enumerate(told) if rule.startswith(f"{SENT_TO} 169.254.0.0/16")]
    assert opened < closed
