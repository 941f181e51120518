"""What builds may reach."""

import ipaddress

from inline_snapshot import snapshot

from aweigh.containers.build_firewall import REFUSE, Firewall, interface_of


def test_builds_reach_the_internet_and_name_servers_alone() -> None:
    wall = Firewall(interface="awb0", allowed=(ipaddress.ip_network("10.9.0.0/16"),))

    chains = wall.chains(["10.0.0.2"], ["awb0", "br-0123456789ab", "br-lan"])

    assert [one.change("-C") for one in chains] == snapshot(
        [
            [
                "iptables",
                "--wait",
                "-t",
                "filter",
                "-C",
                "DOCKER-USER",
                "-i",
                "awb0",
                "-j",
                "awb0-out",
            ],
            ["iptables", "--wait", "-t", "filter", "-C", "INPUT", "-i", "awb0", "-j", "awb0-host"],
            ["ip6tables", "--wait", "-t", "raw", "-C", "PREROUTING", "-i", "awb0", "-j", "awb0-6"],
            [
                "iptables",
                "--wait",
                "-t",
                "security",
                "-C",
                "FORWARD",
                "-i",
                "awb0",
                "-j",
                "awb0-closed",
            ],
        ]
    )
    rules = [tuple(rule.replace(REFUSE, "REFUSE") for rule in one.rules) for one in chains]
    assert rules == snapshot(
        [
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
                "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
                "-m conntrack --ctorigdst 10.9.0.0/16 -j RETURN",
                "-m conntrack --ctorigdst 169.254.0.0/16 REFUSE",
                "-m conntrack --ctorigdst 100.100.100.200/32 REFUSE",
                "-m conntrack --ctorigdst 192.0.0.192/32 REFUSE",
                "-m conntrack --ctorigdst 168.63.129.16/32 REFUSE",
                "-d 10.9.0.0/16 -j RETURN",
                "-d 0.0.0.0/8 REFUSE",
                "-d 10.0.0.0/8 REFUSE",
                "-d 100.64.0.0/10 REFUSE",
                "-d 127.0.0.0/8 REFUSE",
                "-d 168.63.129.16/32 REFUSE",
                "-d 169.254.0.0/16 REFUSE",
                "-d 172.16.0.0/12 REFUSE",
                "-d 192.0.0.0/24 REFUSE",
                "-d 192.168.0.0/16 REFUSE",
                "-d 198.18.0.0/15 REFUSE",
                "-d 224.0.0.0/4 REFUSE",
                "-d 240.0.0.0/4 REFUSE",
            ),
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
                "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
                "-m conntrack --ctorigdst 10.9.0.0/16 -j RETURN",
                "-m conntrack --ctorigdst 169.254.0.0/16 REFUSE",
                "-m conntrack --ctorigdst 100.100.100.200/32 REFUSE",
                "-m conntrack --ctorigdst 192.0.0.192/32 REFUSE",
                "-m conntrack --ctorigdst 168.63.129.16/32 REFUSE",
                "-d 10.9.0.0/16 -j RETURN",
                "REFUSE",
            ),
            ("-j DROP",),
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                "-o awa+ -j DROP",
                "-o awb+ -j DROP",
                "-o docker0 -j DROP",
                "-o docker_gwbridge -j DROP",
                "-o br-0123456789ab -j DROP",
                "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
                "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
                "-m conntrack --ctorigdst 10.9.0.0/16 -j RETURN",
                "-m conntrack --ctorigdst 169.254.0.0/16 -j DROP",
                "-m conntrack --ctorigdst 100.100.100.200/32 -j DROP",
                "-m conntrack --ctorigdst 192.0.0.192/32 -j DROP",
                "-m conntrack --ctorigdst 168.63.129.16/32 -j DROP",
                "-d 10.9.0.0/16 -j RETURN",
                "-d 0.0.0.0/8 -j DROP",
                "-d 10.0.0.0/8 -j DROP",
                "-d 100.64.0.0/10 -j DROP",
                "-d 127.0.0.0/8 -j DROP",
                "-d 168.63.129.16/32 -j DROP",
                "-d 169.254.0.0/16 -j DROP",
                "-d 172.16.0.0/12 -j DROP",
                "-d 192.0.0.0/24 -j DROP",
                "-d 192.168.0.0/16 -j DROP",
                "-d 198.18.0.0/15 -j DROP",
                "-d 224.0.0.0/4 -j DROP",
                "-d 240.0.0.0/4 -j DROP",
            ),
        ]
    )


def test_the_networks_of_containers_are_closed_even_where_their_addresses_are_open() -> None:
    """As where a mirror of packages is in the range that the engine takes its networks from."""
    wall = Firewall(interface="awb0", allowed=(ipaddress.ip_network("0.0.0.0/0"),))
    [closed] = [one for one in wall.chains([], ["br-0123456789ab"]) if one.table == "security"]

    opened = closed.rules.index("-d 0.0.0.0/0 -j RETURN")
    bridges = [rule.split()[1] for rule in closed.rules[:opened] if rule.startswith("-o ")]
    assert bridges == ["awa+", "awb+", "docker0", "docker_gwbridge", "br-0123456789ab"]


def test_a_bridges_name_is_one_that_the_kernel_takes() -> None:
    names = {interface_of(f"{prefix}.build") for prefix in ("aweigh", "a" * 40, "b")}

    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)
