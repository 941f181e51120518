"""The bridges of networks that containers are in, which are to be apart from each other.

Docker keeps them apart by rules of its own, but not while it has them taken out of FORWARD.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aweigh.engine.naming import APPLICATION_BRIDGES, BUILD_BRIDGES

_INTERFACES: Final = Path("/sys/class/net")
#: Those of all installations, and those that the engine makes by itself. They need not exist.
_ALWAYS: Final = (f"{APPLICATION_BRIDGES}+", f"{BUILD_BRIDGES}+", "docker0", "docker_gwbridge")
#: The engine's name for the bridge of a network, if whoever made the network gave none. Not `br-+`:
#: that may be a bridge to the machine's local network, which applications may reach.
_MADE_BY_ENGINE: Final = re.compile("br-[0-9a-f]{12}")


def has_interface(name: str) -> bool:
    """Whether this machine has the interface."""
    return (_INTERFACES / name).exists()


def interface_names() -> list[str]:
    """Return the names of all interfaces of this machine."""
    return sorted(one.name for one in _INTERFACES.iterdir())


def container_bridges(interfaces: Iterable[str]) -> tuple[str, ...]:
    """Return the bridges of containers, by name or as a prefix that ends in `+`.

    `interfaces`: those of this machine.
    """
    return (*_ALWAYS, *filter(_MADE_BY_ENGINE.fullmatch, interfaces))
