"""Verifies deliveries: in threads, outside of transactions, a few at a time."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import structlog
from pydantic import Field, TypeAdapter, ValidationError

from api.bodies import Bodies
from aweigh.core.errors import BAD_DATA, Invalid
from aweigh.github import delivery
from aweigh.github.push import Push, RepositoryEvent
from aweigh.secrets.error_text import said_by
from aweigh.store import applications, pushes
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ApplicationRow

_log = structlog.get_logger(__name__)

T = TypeVar("T")
#: Each works on one body; more would take the processors from all other work.
_THREADS: Final = 2
#: Parses a payload once: a push, or else any event of a repository.
_EVENT: Final[TypeAdapter[Push | RepositoryEvent]] = TypeAdapter(
    Annotated[Push | RepositoryEvent, Field(union_mode="left_to_right")]
)


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A delivery, parsed, and the owners of the secrets that signed it."""

    event: RepositoryEvent | None
    digest: str
    application_ids: frozenset[str]
    by_app: bool

    @property
    def push(self) -> Push | None:
        return self.event if isinstance(self.event, Push) else None


class DeliveryVerification:
    """Bounds what unverified deliveries use of this process: threads, and memory for bodies."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "verification")
        self.bodies = Bodies()

    async def verify(
        self, store: Store, body: bytes, content_type: str, signature: str, app_secret: str
    ) -> Verified | None:
        """Return None if no secret of the App or of an application of the repository signed it."""
        payload = await self._run(lambda: delivery.payload_of(body, content_type))
        named = await self._run(lambda: delivery.named_repositories(payload))
        async with store.read() as tx:
            rows = await pushes.followers(tx, named)
        signing = await self._run(lambda: _signing(tx, body, signature, app_secret, rows))
        if not signing:
            return None
        return await self._run(lambda: _verified(body, payload, signing))

    async def touches(self, push: Push, patterns: tuple[str, ...]) -> bool:
        return await self._run(lambda: push.touches(patterns))

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


#: The App's key among the ids of applications.
_APP: Final = ""


def _signing(
    tx: Transaction, body: bytes, signature: str, app_secret: str, rows: list[ApplicationRow]
) -> frozenset[str]:
    """Return the owners of the secrets that signed the body; each secret is tried once."""
    secrets = {_APP: app_secret} if app_secret else {}
    for row in rows:
        try:
            secret = applications.webhook_secret_of(tx, row)
        except BAD_DATA as error:  # the deliveries of other applications go on
            _log.error("the webhook_secret of an application cannot be read", application=row.id,
                       error=said_by(error, masks=False))  # fmt: skip
            continue
        if secret:
            secrets[row.id] = secret
    tried = secrets.values() or [tx.vault.open_decoy()]  # takes as long as a wrong signature
    signed = delivery.signing(body, signature, tried)
    return frozenset(owner for owner, secret in secrets.items() if secret in signed)


def _verified(body: bytes, payload: bytes, signing: frozenset[str]) -> Verified:
    """Raises: Invalid: parsing it would delay all other work."""
    if not delivery.is_readable(payload):
        raise Invalid("body", f"holds more than {delivery.MOST_VALUES} values")
    return Verified(
        event=_parse(payload),
        digest=hashlib.sha256(body).hexdigest(),
        application_ids=signing - {_APP},
        by_app=_APP in signing,
    )


def _parse(payload: bytes) -> RepositoryEvent | None:
    """Return None if the payload is not an event of a repository."""
    try:
        return _EVENT.validate_json(payload)
    except ValidationError:
        return None
