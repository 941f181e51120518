"""Removes an installation from this machine: its engine objects first, then its files."""

import shutil
from collections.abc import Callable
from pathlib import Path

from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.build_firewall import Firewall, interface_of
from aweigh.containers.networks import Networks
from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from aweigh.engine.engine import Engine
from aweigh.engine.labels import INSTANCE
from aweigh.engine.naming import Names
from aweigh.images.images import Images
from aweigh.images.retention import remove_for_builds, remove_pulled
from aweigh.store import servers
from worker.lock import lock_file
from worker.store import open_store


async def instance_of(settings: Settings) -> str | None:
    """Return the id of the installation in the data directory, or None."""
    if not (settings.data / "keys").exists():
        return None
    store = await open_store(settings)
    try:
        async with store.read() as tx:
            return await servers.instance(tx)
    finally:
        await store.close()


async def purge(settings: Settings, say: Callable[[str], None]) -> None:
    """Remove every container, network, volume, image and file of this installation.

    Raises:
        AweighError: the engine does not answer, so nothing can be removed from it.
    """
    instance = await instance_of(settings)
    if instance:
        await _purge_engine(settings, instance, say)
    _purge_files(settings.data, say)


async def _purge_engine(settings: Settings, instance: str, say: Callable[[str], None]) -> None:
    engine, names = Engine(settings.docker_host), Names(settings.prefix)
    images = Images(engine)
    networks = Networks(engine, instance, identity="")
    # Images and packet filter rules are identified only by the prefix, which belongs to the owner
    # of the bridge.
    prefix_is_ours = not await networks.belongs_to_another_installation(names.bridge)
    containers = await engine.containers({INSTANCE: instance})
    for container in containers:
        await engine.remove(container.name)
    say(f"removed {len(containers)} containers")
    await networks.remove_all_networks()
    await networks.remove_volumes({})
    say("removed networks and volumes")
    if not prefix_is_ours:
        say(f"kept the images under {settings.prefix}/: another installation uses that prefix")
        return
    await ApplicationFirewall(names=names).remove()
    await Firewall(interface=interface_of(names.build_network)).remove()
    ours = [name for name in await images.names() if names.owns_image(name)]
    for name in ours:
        if names.is_pulled(name):
            await remove_pulled(images, name)
        elif names.is_for_builds(name):
            await remove_for_builds(images, name)
        else:
            await images.untag(name)
    say(f"removed {len(ours)} image names")


def _purge_files(data: Path, say: Callable[[str], None]) -> None:
    if not data.exists():
        return
    ours = lock_file(data).exists() or ((data / "keys").exists() and (data / "tokens").exists())
    if not ours and any(data.iterdir()):
        raise AweighError(f"{data} does not look like an Aweigh data directory; remove it yourself")
    shutil.rmtree(data)
    say(f"removed {data}")
