"""The largest accepted body, by endpoint."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import too_large

#: Far more than any body of this API needs; server workers send logs in smaller chunks.
_LARGEST: Final = 1024 * 1024
#: GitHub sends nothing that is larger.
_LARGEST_BY_PATH: Final[Mapping[str, int]] = {"/v1/github/webhooks": 25 * 1024 * 1024}
#: The digits of a length that are parsed; a longer number is too large anyway.
_DIGITS: Final = 20


class BodyLimit:
    """Refuses a body whose `Content-Length` is too large before it is read.

    Without a length, Starlette counts the bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        largest = _LARGEST_BY_PATH.get(scope["path"], _LARGEST)
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:_DIGITS]) > largest:
            return await too_large()(scope, receive, send)
        await RequestBodyLimitMiddleware(self._app, largest)(scope, receive, send)
