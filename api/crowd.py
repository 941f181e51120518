"""Callers of deploy hooks who come while too many wait: told so before anything is looked at."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem
from aweigh.store.database import Store
from aweigh.store.grouping import CROWDED

_DOOR: Final = "/v1/events/"


class CrowdLimit:
    """Keeps for those who were let in what a refusal would cost behind the other limits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_DOOR):
            store: Store = scope["app"].state.office.store
            if store.is_crowded:
                return await problem(503, "unavailable", CROWDED)(scope, receive, send)
        await self._app(scope, receive, send)
