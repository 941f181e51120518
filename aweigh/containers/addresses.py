"""Static addresses on the bridge, from a counter that keeps rising across restarts.

A container keeps its address through crash, engine restart and reboot, and a freed address is not
given to the next application while a live route may still point at it.
"""

from pathlib import Path

from aweigh.containers.subnet import Bridge
from aweigh.core.errors import AweighError
from aweigh.core.files import write_durably


class Addresses:
    """Assigns addresses. Callers hold the lock on addresses."""

    def __init__(self, counter: Path) -> None:
        self._counter = counter

    def take(self, bridge: Bridge, count: int, in_use: set[str]) -> list[str]:
        """Return the next `count` addresses that are not in use.

        Raises:
            AweighError: the subnet is full.
        """
        first, last = bridge.static_addresses
        start = int(self._counter.read_text()) if self._counter.exists() else first
        taken: list[str] = []
        for step in range(last - first + 1):
            offset = first + (start - first + step) % (last - first + 1)
            address = str(bridge.subnet[offset])
            if address not in in_use:
                taken.append(address)
            if len(taken) == count:
                write_durably(self._counter, str(offset + 1))
                return taken
        raise AweighError(f"every address of {bridge.subnet} is in use")
