"""Refuses calls of deploy hooks while too many wait, before anything else is done for them."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem
from aweigh.store.database import Store
from aweigh.store.transactions.group_commit import OVERLOADED

_HOOKS: Final = "/v1/events/"


class OverloadLimit:
    """The outermost limit: a refusal here costs the accepted calls the least."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_HOOKS):
            store: Store = scope["app"].state.context.store
            if store.is_overloaded:
                return await problem(503, "unavailable", OVERLOADED)(scope, receive, send)
        await self._app(scope, receive, send)
