"""What path functions are given: the store, the relay, and who is asking."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.readiness import Readiness
from api.relay import Relay
from api.strangers import Strangers, bearer_of
from api.verification import Verification
from api.watch import Watch
from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER
from aweigh.core import grammar
from aweigh.core.model import Written
from aweigh.core.settings import Settings
from aweigh.deployments.executions import Executions
from aweigh.github.app import GitHub
from aweigh.store import servers
from aweigh.store.database import Store
from aweigh.store.tokens import Bearer, Scope


@dataclass(frozen=True)
class Office:
    """Everything behind the doors."""

    settings: Settings
    store: Store
    relay: Relay
    github: GitHub
    verification: Verification
    strangers: Strangers
    readiness: Readiness
    executions: Executions
    watch: Watch
    #: One thread, for answers that hold much: the event loop is everybody's.
    lists: Executor


async def _office(request: Request) -> Office:  # else FastAPI would call it in a thread
    office: Office = request.app.state.office
    return office


#: The `next` of the page before.
_Next = Annotated[str, Written(grammar.ENTITY_ID, "is not the `next` of a page")]
Cursor = Annotated[_Next | None, Query()]

Doors = Annotated[Office, Depends(_office)]

#: For the document alone: who calls was asked before the body was read.
_bearer = HTTPBearer(auto_error=False)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def _scope(needed: Scope) -> Callable[[Request, _Credentials], Coroutine[Any, Any, Bearer]]:
    async def check(request: Request, _: _Credentials) -> Bearer:
        return _allowed(request, needed)

    return check


def _allowed(request: Request, needed: Scope) -> Bearer:
    found = bearer_of(request)
    if found is None:
        raise HTTPException(401, "A valid token is needed: Authorization: Bearer awg_…")
    if not found.scope.allows(needed):
        raise HTTPException(403, f"This token has the scope {found.scope}, not {needed}.")
    return found


Reader = Annotated[Bearer, Depends(_scope(Scope.READ))]
Deployer = Annotated[Bearer, Depends(_scope(Scope.DEPLOY))]
Admin = Annotated[Bearer, Depends(_scope(Scope.ADMIN))]
ServerToken = Annotated[Bearer, Depends(_scope(Scope.SERVER))]


async def _holder(request: Request, office: Doors, bearer: ServerToken) -> str:
    """The server whose name this worker holds."""
    server = bearer.server or ""
    identity, boot = (request.headers.get(one, "") for one in (IDENTITY_HEADER, BOOT_HEADER))
    async with office.store.read() as tx:
        await servers.check_holder(tx, server, identity, boot)
    return server


ServerName = Annotated[str, Depends(_holder)]
