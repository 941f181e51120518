"""Sends signed webhooks, as in https://www.standardwebhooks.com."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpcore2
import httpx2
from standardwebhooks import Webhook

from aweigh.notifications.delivery import DeliveryFailed, Notification, Receipt
from aweigh.notifications.senders import failures
from aweigh.notifications.senders.connection_words import connection_words
from aweigh.notifications.senders.guarded_network import (
    GuardedNetwork,
    TargetRefused,
    UnknownHost,
)

#: For one attempt, from resolving the name to the end of the answer.
SECONDS: Final = 15.0
#: Bytes of an answer that are read at most.
MOST_READ: Final = 64 * 1024
_CONNECTIONS: Final = 256
_KEPT_OPEN: Final = 32
_KEPT_SECONDS: Final = 5.0


class WebhookSender:
    """Proxies of the environment are not used, redirects are not followed, TLS is verified."""

    def __init__(self, network: GuardedNetwork, trusted: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusted,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_KEPT_OPEN,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=network,
        )

    async def send(
        self,
        url: str,
        signing_secrets: Sequence[str],
        notification: Notification,
        hidden: Sequence[str],
        *,
        seconds: float = SECONDS,
    ) -> Receipt:
        """Make one attempt. `hidden`: secrets that no error shows.

        Raises:
            DeliveryFailed
        """
        exchange = _Exchange(urlsplit(url).hostname or url, hidden)
        try:
            async with asyncio.timeout(seconds):
                await self._post(url, _headers(signing_secrets, notification), notification,
                                 exchange)  # fmt: skip
        except TimeoutError:
            if exchange.status is None:
                message = f"{exchange.host} did not answer within {seconds:g} seconds."
                raise exchange.failure(message) from None
        except TargetRefused as error:
            message = failures.private_target(error.host, error.address)
            raise exchange.failure(message, is_final=True) from error
        except UnknownHost as error:
            raise exchange.failure(str(error)) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException,
                OSError) as error:  # fmt: skip
            if exchange.status is None:
                raise exchange.failure(connection_words(exchange.host, error)) from error
        except (httpx2.InvalidURL, httpcore2.UnsupportedProtocol, ValueError) as error:
            message = f"The address of the channel is not valid: {error}."
            raise exchange.failure(message, is_final=True) from error
        return exchange.result()

    async def _post(
        self, url: str, headers: dict[str, str], notification: Notification, exchange: "_Exchange"
    ) -> None:
        parsed = httpx2.URL(url)  # encodes names and paths that are not ASCII
        target = httpcore2.URL(
            scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
        )
        async with self._pool.stream(
            "POST", target, headers=list(headers.items()), content=notification.payload.encode()
        ) as answer:
            exchange.begin(answer)
            async for chunk in answer.aiter_stream():
                exchange.body += chunk
                if len(exchange.body) >= MOST_READ:
                    break

    async def close(self) -> None:
        await self._pool.aclose()


class _Exchange:
    """What came back so far: an answer that never ends still has a status."""

    def __init__(self, host: str, hidden: Sequence[str]) -> None:
        self.host = host
        self.status: int | None = None
        self.body = b""
        self._hidden = hidden
        self._began = time.monotonic()
        self._location = ""
        self._retry_after: str | None = None

    def begin(self, answer: httpcore2.Response) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        self._location = headers.get(b"location", "")
        self._retry_after = headers.get(b"retry-after")
        self.status = answer.status

    def result(self) -> Receipt:
        """Raises: DeliveryFailed: the status is not 2xx."""
        record = self._record()
        if record.status is not None and 200 <= record.status < 300:
            return record
        raise failures.answer_failed(
            self.host, record, self._hidden,
            location=self._location, retry_after=self._retry_after,
        )  # fmt: skip

    def failure(self, message: str, *, is_final: bool = False) -> DeliveryFailed:
        return failures.failed(message, self._record(), self._hidden, is_final=is_final)

    def _record(self) -> Receipt:
        seconds = time.monotonic() - self._began
        return failures.receipt(self.status, self.body, seconds, self._hidden)


def _headers(signing_secrets: Sequence[str], notification: Notification) -> dict[str, str]:
    """Return the headers; each secret signs, so that receivers may change theirs at leisure."""
    now = datetime.now(UTC)  # `sign` takes any other time zone for UTC
    signatures = [
        Webhook(secret).sign(notification.id, now, notification.payload)
        for secret in signing_secrets
    ]
    return {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "Aweigh",
        "webhook-id": notification.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
