"""A server's networks in namespaces, with Docker's chains as they are and as they are for a moment.

Run it within namespaces of its own: `unshare --net --mount python -m tests.support.router`. It
prints who reaches whom, in three stages: without our rules, with them, and with them while Docker
has taken its jumps out of FORWARD.
"""

import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.build_firewall import Firewall, interface_of
from aweigh.engine.naming import Names

NAMES: Final = Names("aweigh")
BUILDS: Final = interface_of(NAMES.build_network)
PORT: Final = 80

#: Bridges, each with the address of this machine in it; containers have those that follow.
BRIDGES: Final = {
    NAMES.slice_interface(0): "10.201.0.1/25",
    NAMES.slice_interface(1): "10.201.0.129/25",
    NAMES.slice_interface(2): "10.201.1.1/25",
    NAMES.common_interface("back"): "10.201.1.129/25",
    BUILDS: "172.30.0.1/24",
    "docker0": "172.17.0.1/16",
    "br-0123456789ab": "172.18.0.1/16",
    "br-lan": "192.168.9.1/24",  # no network of the engine, but the machine's own
}
#: Where each place is, and its address there.
PLACES: Final = {
    "application": (NAMES.slice_interface(1), "10.201.0.130"),
    "replica": (NAMES.slice_interface(1), "10.201.0.131"),
    "other application": (NAMES.slice_interface(2), "10.201.1.2"),
    "shared network": (NAMES.common_interface("back"), "10.201.1.130"),
    "member": (NAMES.common_interface("back"), "10.201.1.131"),
    "build": (BUILDS, "172.30.0.2"),
    "default network": ("docker0", "172.17.0.2"),
    "compose network": ("br-0123456789ab", "172.18.0.2"),
    "local network": ("br-lan", "192.168.9.2"),
    "internet": ("wan0", "203.0.113.2"),
}
#: Open by settings, as for a mirror of packages. Networks of containers are in these ranges too.
ALLOWED: Final = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "169.254.170.2")))
WAN: Final = "203.0.113.1"
METADATA: Final = "169.254.169.254"
#: A redirection, as Docker makes for published ports and cloud agents for metadata.
REDIRECTED: Final = {
    "published port": (WAN, "other application"),
    "port of another container": ("192.168.9.1", "compose network"),
    "allowed metadata at an agent": ("169.254.170.2", "internet"),
    "metadata at an agent": ("169.254.170.23", "internet"),
    "metadata at an application": ("169.254.170.24", "other application"),
    "metadata on the local network": ("169.254.170.25", "local network"),
}
SOURCES: Final = ("application", "member", "build", "default network", "internet")
TARGETS: Final = {
    **{name: address for name, (_, address) in PLACES.items()},
    **{name: address for name, (address, _) in REDIRECTED.items()},
    "metadata": METADATA,
}

_SERVE: Final = f"""
import socket
server = socket.create_server(("", {PORT}), backlog=100)
print(flush=True)
while True:
    server.accept()[0].close()
"""
_KNOCK: Final = f"""
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def is_reached(address):
    try:
        socket.create_connection((address, {PORT}), 1).close()
    except OSError:
        return False
    return True
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as threads:
    print(json.dumps(dict(zip(targets, threads.map(is_reached, targets.values())))))
"""


def _run(command: str, text: str | None = None) -> None:
    subprocess.run(command.split(), input=text, check=True, text=True)


def _python(place: str, *arguments: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", place.replace(" ", "-"), sys.executable, "-c", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _build() -> None:
    """Make bridges, and a namespace for each place."""
    for mount in ("-t tmpfs tmpfs /run", "-t sysfs sysfs /sys"):  # of these namespaces
        _run(f"mount {mount}")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    steps = ["link set lo up"]
    for bridge, address in BRIDGES.items():
        steps.append(f"link add {bridge} type bridge")
        steps += [f"address add {address} dev {bridge}", f"link set {bridge} up"]
    for number, (place, (interface, _)) in enumerate(PLACES.items()):
        link = f"v{number}" if interface in BRIDGES else interface
        _run(f"ip netns add {place.replace(' ', '-')}")
        steps.append(f"link add {link} type veth peer name eth0 netns {place.replace(' ', '-')}")
        steps += [f"link set {link} master {interface}"] if interface in BRIDGES else []
        steps.append(f"link set {link} up")
    steps += [f"address add {WAN}/24 dev wan0", f"route add {METADATA} dev wan0"]
    _run("ip -batch -", "\n".join(steps))
    for place, (interface, address) in PLACES.items():
        gateway, _, length = BRIDGES.get(interface, f"{WAN}/24").partition("/")
        steps = ["link set lo up", f"address add {address}/{length} dev eth0", "link set eth0 up"]
        steps += [f"route add default via {gateway}"]
        if place == "internet":
            steps += [f"address add {METADATA}/32 dev eth0"]
        _run(f"ip -n {place.replace(' ', '-')} -batch -", "\n".join(steps))


def _docker() -> None:
    """Set rules as Docker does: redirections, DOCKER-USER, and networks apart from each other.

    What is redirected passes, as by a rule of an administrator. By default, Docker's own proxy
    takes what containers send to published ports, so that none of it is forwarded.
    """
    redirections = [
        f"-A PREROUTING -d {address} -p tcp --dport {PORT} -j DNAT --to {PLACES[place][1]}"
        for address, place in REDIRECTED.values()
    ]
    networks = [one for one in BRIDGES if one != "br-lan"]
    apart = [f"-A DOCKER-FORWARD -i {one} -o {one} -j ACCEPT" for one in networks]
    apart += [f"-A DOCKER-FORWARD -i {one} -j DOCKER-APART" for one in networks]
    apart += [f"-A DOCKER-APART -o {one} -j DROP" for one in networks]
    lines = ["*nat", *redirections, "COMMIT", "*filter"]
    lines += [":DOCKER-USER - [0:0]", ":DOCKER-FORWARD - [0:0]", ":DOCKER-APART - [0:0]"]
    lines += ["-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-FORWARD"]
    lines += ["-A DOCKER-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"]
    _run("iptables-restore --noflush", "\n".join([*lines, *apart, "COMMIT", ""]))


def _reached() -> dict[str, dict[str, bool]]:
    knocking = {}
    for source in SOURCES:
        others = {name: address for name, address in TARGETS.items() if name != source}
        knocking[source] = _python(source, _KNOCK, json.dumps(others))
    return {source: json.loads(one.communicate()[0]) for source, one in knocking.items()}


def main() -> None:
    _build()
    servers = [_python(place, _SERVE) for place in PLACES]
    for server in servers:
        assert server.stdout
        assert server.stdout.readline()
    stages = {"open": _reached()}
    _docker()
    ApplicationFirewall(names=NAMES, allowed=ALLOWED)._ensure()
    Firewall(interface=BUILDS, allowed=ALLOWED)._ensure()
    stages["hooked"] = _reached()
    for chain in ("DOCKER-USER", "DOCKER-FORWARD"):
        _run(f"iptables -D FORWARD -j {chain}")
    stages["unhooked"] = _reached()
    for server in servers:
        server.kill()
    print(json.dumps(stages))


if __name__ == "__main__":
    main()
