"""What builds may reach."""

import ipaddress

from inline_snapshot import snapshot

from aweigh.adapters.firewall import Firewall, interface_of


def test_builds_reach_the_internet_and_name_servers_alone() -> None:
    wall = Firewall(interface="awb0", allowed=(ipaddress.ip_network("10.9.0.0/16"),))

    assert wall.rules(["10.0.0.2"]) == snapshot(
        [
            "*filter",
            ":awb0-out - [0:0]",
            ":awb0-host - [0:0]",
            "-A awb0-out -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            "-A awb0-out -d 10.0.0.2 -p udp --dport 53 -j RETURN",
            "-A awb0-out -d 10.0.0.2 -p tcp --dport 53 -j RETURN",
            "-A awb0-out -d 10.9.0.0/16 -j RETURN",
            "-A awb0-out -d 0.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 10.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 100.64.0.0/10 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 127.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 169.254.0.0/16 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 172.16.0.0/12 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 192.0.0.0/24 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 192.168.0.0/16 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 198.18.0.0/15 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 224.0.0.0/4 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-out -d 240.0.0.0/4 -j REJECT --reject-with icmp-admin-prohibited",
            "-A awb0-host -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            "-A awb0-host -d 10.0.0.2 -p udp --dport 53 -j RETURN",
            "-A awb0-host -d 10.0.0.2 -p tcp --dport 53 -j RETURN",
            "-A awb0-host -d 10.9.0.0/16 -j RETURN",
            "-A awb0-host -j REJECT --reject-with icmp-admin-prohibited",
            "COMMIT\n",
        ]
    )


def test_a_bridges_name_is_one_that_the_kernel_takes() -> None:
    names = {interface_of(f"{prefix}.build") for prefix in ("aweigh", "a" * 40, "b")}

    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)
