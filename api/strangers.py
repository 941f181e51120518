"""How often an address may fail: by a wrong secret, a wrong token, or a signature of nobody.

Only failures count, so that no caller who may be here is slowed down by being busy; and one who was
let in before gets in although others at the same address, such as a web server's, fail.
"""

import hashlib
import math
import time
from collections import OrderedDict
from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem, unauthorized
from aweigh.domain.caller import caller_at

#: Credentials of callers that are remembered.
_MOST_KNOWN: Final = 10_000
#: The doors that have credentials of their own.
_DOORS: Final = ("/v1/events/", "/v1/github/webhooks")
#: What a caller shows of who he is, at whichever door.
_SHOWN: Final = (
    "authorization", "x-deploy-secret", "x-github-hook-id",
    "x-github-hook-installation-target-id",
)  # fmt: skip
_BEARER: Final = "bearer "
_SCOPE_KEY: Final = "aweigh.caller"


class Strangers:
    """The failures of the last minute, and who was let in."""

    def __init__(self, failures_a_minute: int) -> None:
        self._most = failures_a_minute
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._item = RateLimitItemPerMinute(max(failures_a_minute, 1))
        self._known: OrderedDict[bytes, None] = OrderedDict()

    async def seconds_to_wait(self, address: str, credential: bytes) -> int:
        """0 for whoever may try."""
        if not self._most or self.knows(credential):
            return 0
        if await self._limiter.test(self._item, address):
            return 0
        window = await self._limiter.get_window_stats(self._item, address)
        return max(math.ceil(window.reset_time - time.time()), 1)

    def knows(self, credential: bytes) -> bool:
        """Whether it was let in when it was last shown."""
        return credential in self._known

    async def failed(self, address: str, credential: bytes) -> None:
        self._known.pop(credential, None)
        if self._most:
            await self._limiter.hit(self._item, address)

    def let_in(self, credential: bytes) -> None:
        if not credential:
            return
        self._known[credential] = None
        self._known.move_to_end(credential)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def close(self) -> None:
        if self._storage.timer:
            self._storage.timer.cancel()


class _Caller:
    """Who makes a request, as far as that is known before it is looked at."""

    def __init__(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        shown = [headers.get(name, "") for name in _SHOWN]
        client = scope.get("client")
        self.address = caller_at(client[0] if client else "")
        self.is_bearer = shown[0].lower().startswith(_BEARER)
        self.has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        whence = scope["path"] if scope["path"].startswith(_DOORS) else ""
        # The id of a webhook is no secret: it stands for its deliveries from one address.
        text = "\n".join((whence, self.address if shown[2] else "", *shown))
        self.credential = hashlib.sha256(text.encode()).digest() if any(shown) else b""
        self.let_in = False
        self.was_here = False


def let_in(request: Request) -> None:
    """The caller of this request has shown that he may be here."""
    if caller := request.scope.get(_SCOPE_KEY):
        caller.let_in = True


def was_here(request: Request) -> bool:
    """Whether the caller was let in at this door the last time that he showed the same."""
    caller: _Caller | None = request.scope.get(_SCOPE_KEY)
    return caller is not None and caller.was_here


class StrangersLimit:
    """Refuses whoever fails too often, and whoever shows no token at all, without reading more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            return await self._app(scope, receive, send)
        strangers: Strangers = scope["app"].state.office.strangers
        caller = _Caller(scope)
        caller.was_here = strangers.knows(caller.credential)
        if seconds := await strangers.seconds_to_wait(caller.address, caller.credential):
            return await _too_often(seconds)(scope, receive, send)
        statuses: list[int] = []

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                if caller.let_in:  # before the answer: a stream may last for hours
                    strangers.let_in(caller.credential)
            await send(message)

        needs_token = not (scope["path"].startswith(_DOORS) or caller.is_bearer)
        app = unauthorized() if needs_token and caller.has_body else self._app
        scope[_SCOPE_KEY] = caller
        await app(scope, receive, told)
        if not caller.let_in and not (statuses and statuses[0] >= 500):
            await strangers.failed(caller.address, caller.credential)


def _too_often(seconds: int) -> ASGIApp:
    answer = problem(
        429, "rate_limited", f"Too many calls from this address failed; wait {seconds} seconds."
    )
    answer.headers["Retry-After"] = str(seconds)
    return answer
