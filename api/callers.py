"""Callers: authenticated by token, or by the hook or webhook that they call, within rate limits."""

import asyncio
import hashlib
from typing import Final

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.bodies import is_small
from api.problems import problem, unauthorized
from api.rate_limits import FailureLimits
from aweigh.core import grammar
from aweigh.core.caller import caller_at
from aweigh.core.errors import Unavailable
from aweigh.store import tokens
from aweigh.store.database import Store
from aweigh.store.tokens import Bearer

WEBHOOKS: Final = "/v1/github/webhooks"
#: The endpoints that have credentials of their own; all others take tokens.
_OWN_CREDENTIALS: Final = ("/v1/events/", WEBHOOKS)
#: The headers that identify a caller, at any endpoint.
_IDENTIFYING: Final = (
    "authorization", "x-deploy-secret", "x-github-hook-id",
    "x-github-hook-installation-target-id",
)  # fmt: skip
_SCOPE_KEY: Final = "aweigh.caller"


class _Caller:
    """The sender of a request, as far as its headers tell."""

    def __init__(self, scope: Scope, limits: FailureLimits) -> None:
        headers = Headers(scope=scope)
        shown = [headers.get(name, "") for name in _IDENTIFYING]
        client = scope.get("client")
        self.address = caller_at(client[0] if client else "")
        #: The endpoint with credentials of its own; empty for one that takes tokens.
        self.endpoint = next((one for one in _OWN_CREDENTIALS if scope["path"].startswith(one)), "")
        scheme, token = get_authorization_scheme_param(shown[0])
        self.token = token if scheme.lower() == "bearer" else ""
        # The id of a webhook is no secret: it identifies the deliveries from one address only.
        path = scope["path"] if self.endpoint else ""
        text = "\n".join((path, self.address if shown[2] else "", *shown))
        self.credential = hashlib.sha256(text.encode()).digest() if any(shown) else b""
        self.is_plausible = self._is_plausible(scope["path"], headers)
        self.bearer: Bearer | None = None
        self.is_accepted = False
        self.was_known = limits.knows(self.credential)
        self._limits = limits
        self._lock: asyncio.Lock | None = None

    def _is_plausible(self, path: str, headers: Headers) -> bool:
        """Whether the credentials are checked although this address has failed too often.

        The check is cheap, and nobody guesses a value with the form of a secret.
        """
        if self.endpoint == WEBHOOKS:
            return is_small(headers)
        if not self.endpoint:
            return grammar.matches(grammar.TOKEN, self.token)
        secret = headers.get("x-deploy-secret", "")
        hook = path.removeprefix(self.endpoint)
        return grammar.matches(grammar.HOOK, hook) and grammar.matches(grammar.SECRET, secret)

    async def seconds_to_wait(self) -> int:
        webhook = self.endpoint == WEBHOOKS
        return await self._limits.seconds_to_wait(self.address, self.credential, webhook=webhook)

    async def count_failure(self) -> None:
        webhook = self.endpoint == WEBHOOKS
        await self._limits.count_failure(self.address, self.credential, webhook=webhook)

    async def lock(self) -> None:
        """Wait until no other caller at this address is being authenticated; known ones do not.

        Deliveries do not wait either: their bodies, which are signed, may take long to arrive.
        """
        if self.endpoint == WEBHOOKS or self._limits.knows(self.credential):
            return
        lock = self._limits.lock_of(self.address)
        await lock.acquire()
        self._lock = lock
        if self._limits.knows(self.credential):
            self.unlock()

    def unlock(self) -> None:
        if self._lock:
            self._lock.release()
            self._lock = None

    def accept(self) -> None:
        self.is_accepted = True
        self._limits.remember(self.credential)
        self.unlock()


def accept_caller(request: Request) -> None:
    """Record that the caller of this request has proven who it is."""
    if caller := _caller_of(request):
        caller.accept()


def is_known_caller(request: Request) -> bool:
    """Whether the caller was accepted here the last time it presented the same credentials."""
    caller = _caller_of(request)
    return caller is not None and caller.was_known


def bearer_of(request: Request) -> Bearer | None:
    """Return the holder of the request's token."""
    caller = _caller_of(request)
    return caller.bearer if caller else None


def _caller_of(request: Request) -> _Caller | None:
    caller: _Caller | None = request.scope.get(_SCOPE_KEY)
    return caller


class CallerLimit:
    """Refuses callers that fail too often or present no valid token, before the body is read.

    FastAPI would read and parse the body before it authenticates the caller.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            return await self._app(scope, receive, send)
        context = scope["app"].state.context
        caller = scope[_SCOPE_KEY] = _Caller(scope, context.failures)
        await caller.lock()
        try:
            seconds = await caller.seconds_to_wait()
            if seconds and not caller.is_plausible:
                await _rate_limited(seconds)(scope, receive, send)
            elif caller.endpoint:
                await self._count_failures(caller, seconds)(scope, receive, send)
            else:
                app = await self._authenticate(caller, context.store, seconds)
                await app(scope, receive, send)
        finally:
            caller.unlock()

    async def _authenticate(self, caller: _Caller, store: Store, seconds: int) -> ASGIApp:
        try:
            async with store.read() as tx:
                caller.bearer = await tokens.authenticate(tx, caller.token)
        except Unavailable as error:
            return problem(503, "unavailable", str(error))
        if caller.bearer is None:
            await caller.count_failure()
            return _rate_limited(seconds) if seconds else unauthorized()
        caller.accept()
        return self._app

    def _count_failures(self, caller: _Caller, seconds: int) -> ASGIApp:
        """Return the application, which authenticates the caller by the endpoint's own credentials.

        A caller above the limit receives nothing but 429 if it fails again.
        """

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            status = 0

            async def send_if_allowed(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                if caller.is_accepted or not seconds or status >= 500:
                    await send(message)

            await self._app(scope, receive, send_if_allowed)
            if caller.is_accepted or status >= 500:
                return
            await caller.count_failure()
            if seconds:
                await _rate_limited(seconds)(scope, receive, send)

        return counted


def _rate_limited(seconds: int) -> ASGIApp:
    answer = problem(
        429, "rate_limited", f"Too many calls from this address failed; wait {seconds} seconds."
    )
    answer.headers["Retry-After"] = str(seconds)
    return answer
