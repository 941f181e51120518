"""Claims: (server, host, path) and (server, protocol, host port) belong to one application."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from aweigh.core.errors import Conflict
from aweigh.deployments.application import ApplicationSettings, Domain, Port
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DomainClaim, PortClaim


async def take(tx: Transaction, row: ApplicationRow, settings: ApplicationSettings) -> None:
    """Hold the domains and host ports of these settings, beside what it holds already.

    Raises:
        Conflict: another application holds one of them; none is taken then.
    """
    try:
        async with tx.session.begin_nested():
            await _take_domains(tx, row, settings.domains)
            await _take_ports(tx, row, settings.ports)
    except IntegrityError as error:  # two callers at once: the database decides
        raise Conflict("a domain or a host port was just taken by another application") from error


# Claims are taken in one order, whatever order they are given in: two callers that want the same
# ones must not wait for each other.


async def _take_domains(tx: Transaction, row: ApplicationRow, domains: Sequence[Domain]) -> None:
    for index, domain in sorted(enumerate(domains), key=lambda one: (one[1].host, one[1].path)):
        held = await tx.session.get(DomainClaim, (row.server, domain.host, domain.path))
        if held is None:
            tx.session.add(
                DomainClaim(
                    server=row.server, host=domain.host, path=domain.path, application_id=row.id
                )
            )
        elif held.application_id != row.id:
            raise Conflict(
                f"domains[{index}]: {domain.host}{domain.path} is routed to another application "
                f"on server {row.server}: {await _name_of(tx, held.application_id)}"
            )


async def _take_ports(tx: Transaction, row: ApplicationRow, ports: Sequence[Port]) -> None:
    for index, port in sorted(enumerate(ports), key=lambda one: (one[1].protocol, one[1].host)):
        held = await tx.session.get(PortClaim, (row.server, port.protocol, port.host))
        if held is None:
            tx.session.add(
                PortClaim(
                    server=row.server, protocol=port.protocol, port=port.host, application_id=row.id
                )
            )
        elif held.application_id != row.id:
            raise Conflict(
                f"ports[{index}]: host port {port.host}/{port.protocol} of server {row.server} "
                f"is held by another application: {await _name_of(tx, held.application_id)}"
            )


async def _name_of(tx: Transaction, application_id: str) -> str:
    row = await tx.session.get_one(ApplicationRow, application_id)
    return f"{row.slug} ({row.id})"


async def keep(tx: Transaction, row: ApplicationRow, wanted: Iterable[ApplicationSettings]) -> None:
    """Give up what none of these settings names."""
    settings = list(wanted)
    domains = {(one.host, one.path) for each in settings for one in each.domains}
    ports = {(one.protocol, one.host) for each in settings for one in each.ports}
    of_domains = select(DomainClaim).where(DomainClaim.application_id == row.id)
    for domain in await tx.session.scalars(of_domains):
        if (domain.host, domain.path) not in domains:
            await tx.session.delete(domain)
    of_ports = select(PortClaim).where(PortClaim.application_id == row.id)
    for port in await tx.session.scalars(of_ports):
        if (port.protocol, port.port) not in ports:
            await tx.session.delete(port)


async def holders(tx: Transaction, application_ids: Collection[str]) -> set[str]:
    """Which of these applications hold anything."""
    held: set[str] = set()
    for table in (DomainClaim, PortClaim):
        query = select(table.application_id).where(table.application_id.in_(application_ids))
        held.update(await tx.session.scalars(query.distinct()))
    return held


async def give_up(tx: Transaction, application_id: str) -> None:
    """Everything it holds."""
    for table in (DomainClaim, PortClaim):
        await tx.session.execute(delete(table).where(table.application_id == application_id))
