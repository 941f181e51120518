"""The dependencies of path functions: the context, and the authenticated caller."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.callers import bearer_of
from api.delivery_verification import DeliveryVerification
from api.followers import Followers
from api.notification_relay import NotificationRelay
from api.rate_limits import FailureLimits
from api.readiness import Readiness
from api.relay import Relay
from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER
from aweigh.core import grammar
from aweigh.core.model import Written
from aweigh.core.settings import Settings
from aweigh.github.app import GitHub
from aweigh.notifications.senders.address_check import AddressChecks
from aweigh.store import servers
from aweigh.store.database import Store
from aweigh.store.tokens import Bearer, Scope
from aweigh.temporal.executions import Executions


@dataclass(frozen=True, kw_only=True)
class AppContext:
    """The collaborators of the API's path functions."""

    settings: Settings
    store: Store
    relay: Relay
    notifications: NotificationRelay
    github: GitHub
    verification: DeliveryVerification
    failures: FailureLimits
    readiness: Readiness
    executions: Executions
    followers: Followers
    address_checks: AddressChecks
    #: One thread for long answers, which would block the event loop.
    lists: Executor


async def _context(request: Request) -> AppContext:  # async: FastAPI would call it in a thread
    context: AppContext = request.app.state.context
    return context


#: The `next` of the previous page.
_Next = Annotated[str, Written(grammar.ENTITY_ID, "is not the `next` of a page")]
Cursor = Annotated[_Next | None, Query()]

Context = Annotated[AppContext, Depends(_context)]

#: For the OpenAPI document only: the middleware has authenticated the caller.
_bearer = HTTPBearer(auto_error=False)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def _scope(needed: Scope) -> Callable[[Request, _Credentials], Coroutine[Any, Any, Bearer]]:
    async def check(request: Request, _: _Credentials) -> Bearer:
        return _allowed(request, needed)

    return check


def _allowed(request: Request, needed: Scope) -> Bearer:
    found = bearer_of(request)
    if found is None:
        raise HTTPException(401, "A valid token is required: Authorization: Bearer awg_…")
    if not found.scope.allows(needed):
        raise HTTPException(
            403, f"This call requires the scope {needed}; the token has {found.scope}."
        )
    return found


Reader = Annotated[Bearer, Depends(_scope(Scope.READ))]
Deployer = Annotated[Bearer, Depends(_scope(Scope.DEPLOY))]
Admin = Annotated[Bearer, Depends(_scope(Scope.ADMIN))]
ServerToken = Annotated[Bearer, Depends(_scope(Scope.SERVER))]


async def _holder(request: Request, context: Context, bearer: ServerToken) -> str:
    """Return the server whose name this worker holds."""
    server = bearer.server or ""
    identity, boot = (request.headers.get(one, "") for one in (IDENTITY_HEADER, BOOT_HEADER))
    async with context.store.read() as tx:
        await servers.check_holder(tx, server, identity, boot)
    return server


ServerName = Annotated[str, Depends(_holder)]
