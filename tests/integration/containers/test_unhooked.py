"""Docker takes its chains out for a moment: nothing passes meanwhile."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: A router between a network of containers and a network with a service, in its own namespaces.
ROUTER = """
import subprocess, sys
from pathlib import Path
from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.build_firewall import Firewall
from aweigh.containers.iptables import set_chains
from aweigh.engine.naming import Names

kind, address = sys.argv[1:]
names = Names("aweigh")
walls = Firewall(interface="awb0") if kind == "build" else ApplicationFirewall(names=names)
interface = "awb0" if kind == "build" else names.slice_interface(1)

def run(command):
    subprocess.run(command.split(), check=True)

def python(where, script):
    return ["ip", "netns", "exec", where, sys.executable, "-c", script]

def connect(place, link, here, there):
    run(f"ip netns add {place}")
    run(f"ip link add {link} type veth peer name eth0 netns {place}")
    run(f"ip address add {here}/32 peer {there} dev {link}")
    run(f"ip link set {link} up")
    run(f"ip -n {place} address add {there}/32 peer {here} dev eth0")
    run(f"ip -n {place} link set eth0 up")
    run(f"ip -n {place} route add default via {here}")

def is_reached():
    knock = f"import socket; socket.create_connection(('{address}', 80), 2)"
    return subprocess.run(python("inside", knock), stderr=subprocess.DEVNULL).returncode == 0

run("mount -t tmpfs tmpfs /run")  # the names of these namespaces end with them
Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
connect("inside", interface, "10.201.9.1", "10.201.9.2")
link = names.slice_interface(2) if kind == "neighbour" else "out0"
connect("outside", link, "192.0.2.1", address)
run("iptables -N DOCKER-USER")  # and no jump to it
serve = f"import socket; s = socket.create_server(('{address}', 80)); print(flush=True)\\n"
serve += "while True: s.accept()"
with subprocess.Popen(python("outside", serve), stdout=subprocess.PIPE) as server:
    server.stdout.readline()
    print("open", is_reached())
    set_chains(lambda: walls.chains([]))
    print("closed", is_reached())
    server.kill()
"""


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("build", "10.0.0.1"),
        ("build", "169.254.169.254"),
        ("application", "169.254.169.254"),
        ("neighbour", "10.201.0.66"),
    ],
)
def test_nothing_passes_while_no_chain_of_docker_is_used(kind: str, address: str) -> None:
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-c", ROUTER, kind, address],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.stdout.split("\n")[:2] == ["open True", "closed False"], done.stderr
