"""What builds may reach."""

import ipaddress

from inline_snapshot import snapshot

from aweigh.containers.build_firewall import Firewall, interface_of


def test_builds_reach_the_internet_and_name_servers_alone() -> None:
    wall = Firewall(interface="awb0", allowed=(ipaddress.ip_network("10.9.0.0/16"),))

    chains = wall.chains(["10.0.0.2"])

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
    assert [one.rules for one in chains] == snapshot(
        [
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
                "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
                "-d 10.9.0.0/16 -j RETURN",
                "-d 0.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 10.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 100.64.0.0/10 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 127.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 168.63.129.16/32 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 169.254.0.0/16 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 172.16.0.0/12 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 192.0.0.0/24 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 192.168.0.0/16 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 198.18.0.0/15 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 224.0.0.0/4 -j REJECT --reject-with icmp-admin-prohibited",
                "-d 240.0.0.0/4 -j REJECT --reject-with icmp-admin-prohibited",
            ),
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
                "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
                "-d 10.9.0.0/16 -j RETURN",
                "-j REJECT --reject-with icmp-admin-prohibited",
            ),
            ("-j DROP",),
            (
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
                "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
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


def test_a_bridges_name_is_one_that_the_kernel_takes() -> None:
    names = {interface_of(f"{prefix}.build") for prefix in ("aweigh", "a" * 40, "b")}

    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)
