"""What a network for each application costs a deployment, against one that all of them share."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aweigh.containers.address_space import AddressSpace
from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.networks import Networks
from aweigh.engine.container_spec import ContainerSpec
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    IDENTITY,
    INSTANCE,
)
from aweigh.engine.naming import Names
from aweigh.routing.route_files import RouteFiles
from aweigh.servers.locks import Locks
from benchmarks.figures import milliseconds, ratio
from benchmarks.page import Table
from benchmarks.plain_docker import SOCKET, PlainDocker, open_plain_docker

#: Applications that are on the server already, in the second half of the rows.
_BESIDE = 100


async def measure(directory: Path, *, quick: bool) -> Sequence[Table]:
    rounds = 3 if quick else 12
    rows = []
    with open_plain_docker() as plain:
        plain.make_version("v1")
        async with opened(directory, plain) as networks:
            for beside in (0, 20 if quick else _BESIDE):
                for number in range(beside):
                    await networks.ensure(f"app_b{number}", f"beside-{number}")
                rows += await table_rows(plain, networks, rounds, beside)
    return [
        Table(
            title="Networks, isolation and a container of a deployment, until it runs",
            columns=(
                "deployment", "applications beside it", "times", "own network / shared",
                "own network, ms", "shared network, ms",
            ),
            rows=rows,
        )
    ]  # fmt: skip


@asynccontextmanager
async def opened(directory: Path, plain: PlainDocker) -> AsyncIterator[ApplicationNetworks]:
    """What a server worker has; everything it makes bears the plain's prefix."""
    engine, names = Engine(SOCKET), Names(plain.prefix)
    networks = Networks(engine, plain.prefix, "bench")
    route_files = RouteFiles(directory / "routes")
    route_files.prepare()
    (directory / "locks").mkdir()
    yield ApplicationNetworks(
        engine=engine,
        networks=networks,
        names=names,
        space=AddressSpace(
            engine,
            await networks.subnet(names, ""),
            route_files,
            Locks(directory / "locks"),
            directory,
        ),
        labels={INSTANCE: plain.prefix, IDENTITY: "bench"},
    )


async def table_rows(
    plain: PlainDocker, networks: ApplicationNetworks, rounds: int, beside: int
) -> list[tuple[str, ...]]:
    isolation, engine = ApplicationFirewall(names=networks.names), networks.engine

    async def own(slug: str) -> None:
        await isolation.ensure()
        bridge = await networks.ensure(f"app_{slug}", slug)
        await run(bridge.name, await networks.take_address(bridge, slug))

    async def shared() -> None:
        await engine.addresses_on(plain.network)  # where an address is free is asked there, too
        await run(plain.network, None)

    async def run(network: str, address: str | None) -> None:
        name = f"{plain.prefix}-container-{secrets.token_hex(3)}"
        spec = ContainerSpec(
            name=name, image=plain.image("v1"), labels={}, network=network, address=address
        )
        await engine.create(spec)
        await engine.start(name)
        boxes.append(name)

    boxes: list[str] = []
    rows: list[tuple[str, ...]] = []
    kinds: dict[str, tuple[list[float], list[float]]] = {"first": ([], []), "later": ([], [])}
    for number in range(rounds):
        for measured, reference in kinds.values():
            slug = f"shop-{beside}-{number}"
            measured.append(await timed(partial(own, slug)))
            reference.append(await timed(shared))
            await asyncio.gather(*(engine.remove(name) for name in boxes))
            boxes.clear()
    for kind, (measured, reference) in kinds.items():
        rows.append(
            (kind, str(beside), str(rounds), ratio(measured, reference).text(digits=2),
             milliseconds(measured), milliseconds(reference))
        )  # fmt: skip
    return rows


async def timed(action: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began
