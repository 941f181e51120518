"""Tokens: listed, made, taken back."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.dependencies import Admin, Doors
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
async def list_tokens(office: Doors, _: Admin) -> dict[str, Any]:
    async with office.store.read() as tx:
        found = await tokens.all_of(tx)
    items = [{"name": one.name, "scope": one.scope, "server": one.server} for one in found]
    return {"items": items, "next": None}


@router.post("", status_code=201)
async def make_token(office: Doors, _: Admin, new: NewToken) -> dict[str, str]:
    """A new token, shown this once."""
    async with office.store.write(urgent=True) as tx:
        if await tokens.named(tx, new.name):
            raise Conflict(f"there is a token {new.name!r} already")
        token = await tokens.issue(tx, Bearer(name=new.name, scope=Scope(new.scope)))
    return {"name": new.name, "scope": new.scope, "token": token}


@router.delete("/{name}", status_code=204, response_class=Response)
async def take_token_back(office: Doors, bearer: Admin, name: str) -> None:
    """It stops working at once."""
    if name == bearer.name:
        raise Conflict("a token cannot take itself back")
    async with office.store.write(urgent=True) as tx:
        await tokens.take_back(tx, name)
