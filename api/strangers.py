"""How often an address may fail: by a wrong secret, a wrong token, or a signature of nobody.

Only failures count, so that no caller who may be here is slowed down by being busy; and one who was
let in before gets in although others at the same address, such as a web server's, fail.
"""

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakValueDictionary

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.bodies import is_small
from api.problems import problem, unauthorized
from aweigh.core import grammar
from aweigh.core.caller import caller_at
from aweigh.core.errors import Unavailable
from aweigh.store import tokens
from aweigh.store.tokens import Bearer

WEBHOOKS: Final = "/v1/github/webhooks"
#: The doors that have credentials of their own.
_DOORS: Final = ("/v1/events/", WEBHOOKS)
#: Credentials of callers that are remembered.
_MOST_KNOWN: Final = 10_000
#: Webhooks at one address, such as GitHub's, that may fail as often as one address elsewhere.
_WEBHOOKS_OF_ONE: Final = 20
#: What a caller shows of who he is, at whichever door.
_SHOWN: Final = (
    "authorization", "x-deploy-secret", "x-github-hook-id",
    "x-github-hook-installation-target-id",
)  # fmt: skip
_SCOPE_KEY: Final = "aweigh.caller"


class Strangers:
    """The failures of the last minute, and who was let in."""

    def __init__(self, failures_a_minute: int) -> None:
        self._most = failures_a_minute
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._item = RateLimitItemPerMinute(max(failures_a_minute, 1))
        self._deliveries = RateLimitItemPerMinute(max(failures_a_minute, 1) * _WEBHOOKS_OF_ONE)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn_of(self, address: str) -> asyncio.Lock:
        """Held while somebody at the address who is not known is looked at.

        So a failure counts before the next one may try, however many come at once.
        """
        return self._turns.setdefault(address, asyncio.Lock())

    async def seconds_to_wait(self, caller: "_Caller") -> int:
        """0 for whoever may try."""
        if not self._most or self.knows(caller.credential):
            return 0
        for item, key in self._counted(caller):
            if not await self._limiter.test(item, key):
                window = await self._limiter.get_window_stats(item, key)
                return max(math.ceil(window.reset_time - time.time()), 1)
        return 0

    def knows(self, credential: bytes) -> bool:
        """Whether it was let in when it was last shown."""
        return credential in self._known

    async def failed(self, caller: "_Caller") -> None:
        self._known.pop(caller.credential, None)
        if not self._most:
            return
        for item, key in self._counted(caller):
            if not await self._limiter.hit(item, key):
                return  # what a webhook claims to be is kept of so many at most

    def _counted(self, caller: "_Caller") -> Iterator[tuple[RateLimitItem, str]]:
        """What the failures of a caller count for.

        At GitHub's addresses anybody may have a webhook, so those of one webhook are its own.
        """
        if caller.door != WEBHOOKS:
            yield self._item, caller.address
            return
        yield self._deliveries, f"deliveries {caller.address}"
        yield self._item, f"deliveries {caller.address} {caller.credential.hex()}"

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

    def __init__(self, scope: Scope, strangers: Strangers) -> None:
        headers = Headers(scope=scope)
        shown = [headers.get(name, "") for name in _SHOWN]
        client = scope.get("client")
        self.address = caller_at(client[0] if client else "")
        #: The door that has credentials of its own; others take tokens.
        self.door = next((one for one in _DOORS if scope["path"].startswith(one)), "")
        scheme, token = get_authorization_scheme_param(shown[0])
        self.token = token if scheme.lower() == "bearer" else ""
        # The id of a webhook is no secret: it stands for its deliveries from one address.
        whence = scope["path"] if self.door else ""
        text = "\n".join((whence, self.address if shown[2] else "", *shown))
        self.credential = hashlib.sha256(text.encode()).digest() if any(shown) else b""
        self.is_looked_at = self._could_be_let_in(scope["path"], headers)
        self.bearer: Bearer | None = None
        self.is_let_in = False
        self.was_here = strangers.knows(self.credential)
        self._strangers = strangers
        self._turn: asyncio.Lock | None = None

    def _could_be_let_in(self, path: str, headers: Headers) -> bool:
        """Whether it is worth a look whoever else fails at this address.

        That is cheap, and what has the form of a secret cannot be guessed.
        """
        if self.door == WEBHOOKS:
            return is_small(headers)
        if not self.door:
            return grammar.matches(grammar.TOKEN, self.token)
        secret = headers.get("x-deploy-secret", "")
        hook = path.removeprefix(self.door)
        return grammar.matches(grammar.HOOK, hook) and grammar.matches(grammar.SECRET, secret)

    async def take_turn(self) -> None:
        """Wait for whoever else at this address is being looked at, unless the caller is known.

        Deliveries are known by their bodies, which may be long in coming: they do not wait.
        """
        if self.door == WEBHOOKS or self._strangers.knows(self.credential):
            return
        turn = self._strangers.turn_of(self.address)
        await turn.acquire()
        self._turn = turn
        if self._strangers.knows(self.credential):
            self.end_turn()

    def end_turn(self) -> None:
        if self._turn:
            self._turn.release()
            self._turn = None

    def let_in(self) -> None:
        self.is_let_in = True
        self._strangers.let_in(self.credential)
        self.end_turn()


def let_in(request: Request) -> None:
    """The caller of this request has shown that he may be here."""
    if caller := _caller_of(request):
        caller.let_in()


def was_here(request: Request) -> bool:
    """Whether the caller was let in at this door the last time that he showed the same."""
    caller = _caller_of(request)
    return caller is not None and caller.was_here


def bearer_of(request: Request) -> Bearer | None:
    """Who holds the token that was shown."""
    caller = _caller_of(request)
    return caller.bearer if caller else None


def _caller_of(request: Request) -> _Caller | None:
    caller: _Caller | None = request.scope.get(_SCOPE_KEY)
    return caller


class StrangersLimit:
    """Refuses whoever fails too often, and whoever shows no valid token, without reading more.

    FastAPI would read and parse a body before it asks who sent it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            return await self._app(scope, receive, send)
        office = scope["app"].state.office
        caller = scope[_SCOPE_KEY] = _Caller(scope, office.strangers)
        await caller.take_turn()
        try:
            seconds = await office.strangers.seconds_to_wait(caller)
            if seconds and not caller.is_looked_at:
                await _too_often(seconds)(scope, receive, send)
            elif caller.door:
                await self._watch(caller, office.strangers, seconds)(scope, receive, send)
            else:
                app = await self._with_token(caller, office, seconds)
                await app(scope, receive, send)
        finally:
            caller.end_turn()

    async def _with_token(self, caller: _Caller, office: Any, seconds: int) -> ASGIApp:
        try:
            async with office.store.read() as tx:
                caller.bearer = await tokens.authenticate(tx, caller.token)
        except Unavailable as error:
            return problem(503, "unavailable", str(error))
        if caller.bearer is None:
            await office.strangers.failed(caller)
            return _too_often(seconds) if seconds else unauthorized()
        caller.let_in()
        return self._app

    def _watch(self, caller: _Caller, strangers: Strangers, seconds: int) -> ASGIApp:
        """The application, which finds out by itself who calls, at a door of its own.

        Whoever is looked at in spite of failures hears no more than that if it is in vain.
        """

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0

            async def told(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                if caller.is_let_in or not seconds or status >= 500:
                    await send(message)

            await self._app(scope, receive, told)
            if caller.is_let_in or status >= 500:
                return
            await strangers.failed(caller)
            if seconds:
                await _too_often(seconds)(scope, receive, send)

        return watched


def _too_often(seconds: int) -> ASGIApp:
    answer = problem(
        429, "rate_limited", f"Too many calls from this address failed; wait {seconds} seconds."
    )
    answer.headers["Retry-After"] = str(seconds)
    return answer
