"""What is refused before it is read."""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import too_large

#: Digits of a length that are looked at; more of them would be too many anyway.
_DIGITS: Final = 20


class LengthLimit:
    """Refuses a body that says of itself that it is too large.

    One that does not say is left to Starlette's own limit, which counts.
    """

    def __init__(self, app: ASGIApp, longest: int) -> None:
        self._app = app
        self._longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        refused = length.isdecimal() and int(length[:_DIGITS]) > self._longest
        await (too_large() if refused else self._app)(scope, receive, send)
