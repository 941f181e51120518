"""Counts open connections of the host, with one run of `ss` for all simultaneous callers."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from aweigh.core.threads import in_thread

_STATES: Final = ("state", "established", "state", "syn-sent", "state", "close-wait")

Look = Callable[[Collection[str]], Counter[str]]
"""Count the connections to each of these addresses. Raises: OSError, SubprocessError."""


class Connections:
    """Counts once for all simultaneous callers.

    A hundred drains, each polling ten times a second, would run a thousand programs a second.
    """

    def __init__(self, look: Look | None = None) -> None:
        self._look = look or by_ss
        self._asked: dict[asyncio.Future[Counter[str] | None], Collection[str]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def to(self, addresses: Collection[str]) -> int | None:
        """Return the number of connections to these addresses, counted after this call.

        None if it cannot be determined.
        """
        if not addresses:
            return 0
        answer: asyncio.Future[Counter[str] | None] = asyncio.get_running_loop().create_future()
        self._asked[answer] = addresses
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_for_all())
        found = await answer
        return None if found is None else sum(found[address] for address in set(addresses))

    async def _look_for_all(self) -> None:
        try:
            while self._asked:
                # Calls from here on wait for the next count.
                asked, self._asked = self._asked, {}
                found = None
                try:
                    found = await self._looked_for(frozenset().union(*asked.values()))
                finally:
                    for answer in asked:
                        if not answer.done():
                            answer.set_result(found)
        finally:
            self._looking = None

    async def _looked_for(self, addresses: Collection[str]) -> Counter[str] | None:
        try:
            return await in_thread(lambda: self._look(addresses))
        except (OSError, subprocess.SubprocessError, ValueError):
            return None


def by_ss(addresses: Collection[str]) -> Counter[str]:
    """Count with `ss`. Raises: OSError, SubprocessError, ValueError."""
    clauses = " or ".join(f"dst {address}" for address in sorted(addresses))
    command = ["ss", "-Htn", *_STATES, f"( {clauses} )"]
    done = subprocess.run(command, capture_output=True, timeout=10, check=True)
    return Counter(_peer(line) for line in done.stdout.decode().splitlines())


def _peer(line: str) -> str:
    """Return the peer's address. Raises: ValueError: this is not a line of `ss`."""
    columns = line.split()
    if len(columns) < 5:
        raise ValueError(line)
    # With several states requested, the first column is the state.
    return columns[4].rpartition(":")[0].strip("[]").removeprefix("::ffff:")
