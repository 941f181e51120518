"""Taking away what a test's stack has left on the engine."""

from concurrent.futures import ThreadPoolExecutor

import docker

from aweigh.adapters.firewall import Firewall, interface_of
from aweigh.adapters.walls import Walls
from aweigh.domain.naming import Names


def remove_leftovers(prefix: str) -> None:
    """Everything on the engine whose name begins with the prefix of a test's stack."""
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto")
    found = [
        one
        for one in client.containers(all=True)
        if one["Names"][0].startswith((f"/{prefix}-", f"/{prefix}."))
    ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: client.remove_container(one["Id"], force=True, v=True), found))
    for network in client.networks():
        if network["Name"] == prefix or network["Name"].startswith((f"{prefix}-", f"{prefix}.")):
            client.remove_network(network["Id"])
    for volume in client.volumes()["Volumes"] or []:
        if volume["Name"].startswith((f"{prefix}-", f"{prefix}.")):
            client.remove_volume(volume["Name"])
    for image in client.images():
        for tag in image.get("RepoTags") or []:
            if tag.startswith(
                tuple(f"{prefix}{kind}/" for kind in ("", "-pulled", "-proxy", "-demo"))
            ):
                client.remove_image(tag)
    client.close()
    Walls(names=Names(prefix)).remove_now()
    Firewall(interface=interface_of(Names(prefix).build_network)).remove_now()
