"""The log of a deployment: bytes in order, addressed by offset."""

from dataclasses import dataclass

from sqlalchemy import func, select

from aweigh.store.database import Transaction
from aweigh.store.deployments import find_row
from aweigh.store.tables import LogChunk


async def length(tx: Transaction, deployment_id: str) -> int:
    query = (
        select(LogChunk.offset + func.length(LogChunk.data))
        .where(LogChunk.deployment_id == deployment_id)
        .order_by(LogChunk.offset.desc())
        .limit(1)
    )
    return (await tx.session.scalar(query)) or 0


@dataclass(frozen=True)
class Appended:
    """The current length of the log, and whether the data is part of it."""

    length: int
    taken: bool


async def append(tx: Transaction, deployment_id: str, offset: int, data: bytes) -> Appended:
    """Append the data if `offset` is the exact end of the log.

    Raises:
        NotFound: there is no such deployment.
    """
    await find_row(tx, deployment_id, lock=True)  # one writer at a time: the end must not move
    have = await length(tx, deployment_id)
    if offset != have or not data:
        return Appended(have, taken=not data)
    tx.session.add(LogChunk(deployment_id=deployment_id, offset=offset, data=data))
    return Appended(have + len(data), taken=True)


async def read(tx: Transaction, deployment_id: str, start: int, most: int) -> bytes:
    """Return at most `most` bytes from `start` on; empty behind the end."""
    first = (
        select(func.max(LogChunk.offset))
        .where(LogChunk.deployment_id == deployment_id, LogChunk.offset <= start)
        .scalar_subquery()
    )
    query = (
        select(LogChunk)
        .where(
            LogChunk.deployment_id == deployment_id,
            LogChunk.offset >= func.coalesce(first, 0),
            LogChunk.offset < start + most,
        )
        .order_by(LogChunk.offset)
    )
    chunks = list(await tx.session.scalars(query))
    if not chunks:
        return b""
    begin = max(start - chunks[0].offset, 0)
    return b"".join(chunk.data for chunk in chunks)[begin : begin + most]
