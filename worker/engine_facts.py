"""The facts about an engine that a server worker needs at its start."""

from dataclasses import dataclass
from pathlib import Path

from aweigh.containers.networks import Networks
from aweigh.containers.subnet import Subnet
from aweigh.core.settings import Settings
from aweigh.engine.engine import Engine
from aweigh.engine.naming import Names
from aweigh.images.platform_detection import platforms_of
from aweigh.images.server_platforms import ServerPlatforms


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """Facts that a server worker asks its engine for once, at its start."""

    #: The engine's data directory.
    root: Path
    platforms: ServerPlatforms
    subnet: Subnet


async def engine_facts(settings: Settings, instance: str, identity: str) -> EngineFacts:
    """Query the engine, and create the network that reserves the installation's addresses.

    Raises:
        StartupError: the prefix or the subnet belongs to another installation.
        StepError: the engine does not answer.
    """
    engine = Engine(settings.docker_host)
    networks = Networks(engine, instance, identity)
    return EngineFacts(
        root=Path(await engine.root()),
        platforms=await platforms_of(engine, settings.server, settings.platforms),
        subnet=await networks.subnet(Names(settings.prefix), settings.subnet),
    )
