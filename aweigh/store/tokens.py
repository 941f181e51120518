"""API tokens: high-entropy secrets, of which only a digest is stored."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select

from aweigh.core import grammar
from aweigh.core.errors import NotFound
from aweigh.core.ids import digest, new_id, new_secret
from aweigh.store.database import Transaction
from aweigh.store.tables import TokenRow


class Scope(StrEnum):
    """The permissions of a token: each includes those before it, except `server`."""

    READ = "read"
    DEPLOY = "deploy"
    ADMIN = "admin"
    SERVER = "server"

    def allows(self, needed: "Scope") -> bool:
        if Scope.SERVER in (self, needed):
            return self is needed
        order = [Scope.READ, Scope.DEPLOY, Scope.ADMIN]
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """The holder of a token."""

    name: str
    scope: Scope
    server: str | None = None


async def issue(tx: Transaction, bearer: Bearer) -> str:
    """Return a new token; an existing one of the same name stops working."""
    await tx.session.execute(delete(TokenRow).where(TokenRow.name == bearer.name))
    token = new_secret("awg")
    tx.session.add(
        TokenRow(
            id=new_id("tok"), name=bearer.name, hash=digest(token), scope=bearer.scope,
            server=bearer.server, created_at=tx.now,
        )
    )  # fmt: skip
    return token


async def authenticate(tx: Transaction, token: str) -> Bearer | None:
    if not grammar.matches(grammar.TOKEN, token):
        return None
    # A lookup by digest leaks nothing about the token through its duration.
    row = await tx.session.scalar(select(TokenRow).where(TokenRow.hash == digest(token)))
    return Bearer(name=row.name, scope=Scope(row.scope), server=row.server) if row else None


async def all_of(tx: Transaction) -> list[Bearer]:
    """Return the holders of all tokens."""
    rows = await tx.session.scalars(select(TokenRow).order_by(TokenRow.name))
    return [Bearer(name=row.name, scope=Scope(row.scope), server=row.server) for row in rows]


async def revoke(tx: Transaction, name: str) -> None:
    """Raises: NotFound."""
    if not await exists(tx, name):
        raise NotFound(f"there is no token {name!r}")
    await tx.session.execute(delete(TokenRow).where(TokenRow.name == name))


async def exists(tx: Transaction, name: str) -> bool:
    return bool(await tx.session.scalar(select(TokenRow.id).where(TokenRow.name == name)))
