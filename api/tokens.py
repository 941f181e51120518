"""Tokens: listed, issued, revoked."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.dependencies import Admin, Context
from aweigh.core.errors import Conflict
from aweigh.core.model import Written
from aweigh.store import tokens
from aweigh.store.tokens import Bearer, Scope

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])


_Name = Written(
    re.compile(r"[a-z0-9][a-z0-9-]{0,62}"),
    "is not a name of a-z, 0-9 and '-', first a letter or digit, of at most 63 characters",
)


class NewToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, _Name]
    scope: Literal["read", "deploy", "admin"]


@router.get("")
async def list_tokens(context: Context, _: Admin) -> dict[str, Any]:
    async with context.store.read() as tx:
        found = await tokens.all_of(tx)
    items = [{"name": one.name, "scope": one.scope, "server": one.server} for one in found]
    return {"items": items, "next": None}


@router.post("", status_code=201)
async def issue_token(context: Context, _: Admin, new: NewToken) -> dict[str, str]:
    """Issue a token; only this answer shows it."""
    async with context.store.write(urgent=True) as tx:
        if await tokens.exists(tx, new.name):
            raise Conflict(f"a token {new.name!r} exists already")
        token = await tokens.issue(tx, Bearer(name=new.name, scope=Scope(new.scope)))
    return {"name": new.name, "scope": new.scope, "token": token}


@router.delete("/{name}", status_code=204, response_class=Response)
async def revoke_token(context: Context, bearer: Admin, name: str) -> None:
    """Revoke a token; it stops working at once."""
    if name == bearer.name:
        raise Conflict("a token cannot revoke itself")
    async with context.store.write(urgent=True) as tx:
        await tokens.revoke(tx, name)
