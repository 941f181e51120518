"""Who sent a delivery: found out beside the event loop, outside of transactions, few at a time."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from api.bodies import Bodies
from aweigh.core.errors import BAD_DATA, Invalid
from aweigh.github import delivery
from aweigh.github.push import Event, Push
from aweigh.secrets.error_text import said_by
from aweigh.store import applications, pushes
from aweigh.store.database import Store, Transaction
from aweigh.store.tables import ApplicationRow

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Read = TypeVar("Read", bound=BaseModel)

#: Each is busy with one body; more would take the processors from everything else.
_THREADS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A delivery, and whose secrets signed it."""

    event: Event | None
    push: Push | None
    digest: str
    application_ids: frozenset[str]
    by_app: bool


class Verification:
    """What strangers' deliveries may take of this process: threads, and memory for their bodies."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "verification")
        self.bodies = Bodies()

    async def verify(
        self, store: Store, body: bytes, content_type: str, signature: str, app_secret: str
    ) -> Verified | None:
        """None where no secret of the App or of an application of its repository signed it."""
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


#: Stands for the App among the ids of applications.
_APP: Final = ""


def _signing(
    tx: Transaction, body: bytes, signature: str, app_secret: str, rows: list[ApplicationRow]
) -> frozenset[str]:
    """The ids of whose secret signed it, each secret being tried once."""
    secrets = {_APP: app_secret} if app_secret else {}
    for row in rows:
        try:
            secret = applications.webhook_secret_of(tx, row)
        except BAD_DATA as error:  # and the deliveries of its neighbours go on
            _log.error("an application's webhook_secret cannot be read", application=row.id,
                       error=said_by(error, masks=False))  # fmt: skip
            continue
        if secret:
            secrets[row.id] = secret
    tried = secrets.values() or [tx.vault.open_decoy()]  # costs what a wrong signature costs
    signed = delivery.signing(body, signature, tried)
    return frozenset(owner for owner, secret in secrets.items() if secret in signed)


def _verified(body: bytes, payload: bytes, signing: frozenset[str]) -> Verified:
    """Raises: Invalid: reading it would hold up everybody else."""
    if not delivery.is_readable(payload):
        raise Invalid("body", f"holds more than {delivery.MOST_VALUES} values")
    return Verified(
        event=_read(Event, payload),
        push=_read(Push, payload),
        digest=hashlib.sha256(body).hexdigest(),
        application_ids=signing - {_APP},
        by_app=_APP in signing,
    )


def _read(kind: type[Read], payload: bytes) -> Read | None:
    """None where the payload is something else."""
    try:
        return kind.model_validate_json(payload)
    except ValidationError:
        return None
