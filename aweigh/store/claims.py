"""Claims: (server, host, path) and (server, protocol, host port) belong to one application.

Applications and releases keep the claims that their settings need in plain text beside the sealed
settings, so that no end of a deployment depends on opening them.
"""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError

from aweigh.core.errors import Conflict
from aweigh.deployments.application import ApplicationSettings, Domain, Port
from aweigh.deployments.deployment import OPEN
from aweigh.store.database import Transaction
from aweigh.store.tables import (
    ApplicationRow,
    DeploymentRow,
    DomainClaim,
    PortClaim,
    ReleaseRow,
)


def text_of(settings: ApplicationSettings) -> str:
    """Return the claims that these settings need, as `settle` reads them."""
    return json.dumps(
        {
            "domains": [[one.host, one.path] for one in settings.domains],
            "ports": [[one.protocol, one.host] for one in settings.ports],
        }
    )


async def take(tx: Transaction, row: ApplicationRow, settings: ApplicationSettings) -> None:
    """Claim the domains and host ports of these settings; the application keeps its other claims.

    Raises:
        Conflict: another application holds one of them; nothing is claimed then.
    """
    try:
        async with tx.session.begin_nested():
            await _take_domains(tx, row, settings.domains)
            await _take_ports(tx, row, settings.ports)
    except IntegrityError as error:  # two concurrent callers: the database decides
        raise Conflict("a domain or a host port was just taken by another application") from error


# Claims are taken in sorted order: two callers that need the same ones must not deadlock.


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


async def settle(tx: Transaction, row: ApplicationRow) -> None:
    """Give up the claims that neither the settings nor a release in use needs.

    The live release keeps its routes until another one is live, and a release in flight may be
    live next.
    """
    in_use = select(DeploymentRow.release_id).where(
        DeploymentRow.application_id == row.id,
        or_(DeploymentRow.id == row.live, DeploymentRow.state.in_(OPEN)),
    )
    query = select(ReleaseRow.claims).where(ReleaseRow.id.in_(in_use))
    needed = [row.claims, *await tx.session.scalars(query)]
    texts = [text for text in needed if text is not None]
    if len(texts) == len(needed):  # the needs of rows older than this column are unknown
        await _keep(tx, row, [json.loads(text) for text in texts])


async def _keep(
    tx: Transaction, row: ApplicationRow, needed: Sequence[dict[str, list[list[str | int]]]]
) -> None:
    domains = {tuple(domain) for one in needed for domain in one["domains"]}
    ports = {tuple(port) for one in needed for port in one["ports"]}
    of_domains = select(DomainClaim).where(DomainClaim.application_id == row.id)
    for domain in await tx.session.scalars(of_domains):
        if (domain.host, domain.path) not in domains:
            await tx.session.delete(domain)
    of_ports = select(PortClaim).where(PortClaim.application_id == row.id)
    for port in await tx.session.scalars(of_ports):
        if (port.protocol, port.port) not in ports:
            await tx.session.delete(port)


async def holders(tx: Transaction, application_ids: Collection[str]) -> set[str]:
    """Return the ids of those applications that hold a claim."""
    held: set[str] = set()
    for table in (DomainClaim, PortClaim):
        query = select(table.application_id).where(table.application_id.in_(application_ids))
        held.update(await tx.session.scalars(query.distinct()))
    return held


async def give_up(tx: Transaction, application_id: str) -> None:
    """Give up all claims of an application."""
    for table in (DomainClaim, PortClaim):
        await tx.session.execute(delete(table).where(table.application_id == application_id))
