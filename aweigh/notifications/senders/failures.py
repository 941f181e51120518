"""What an exchange with a receiver means: accepted, or failed with words for people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from aweigh.core.text import one_line, printable
from aweigh.notifications.delivery import DeliveryFailed, Receipt
from aweigh.secrets.value import mask, mask_words

#: Of an answer, characters that are kept.
_KEPT: Final = 1024
_LONGEST: Final = 400


def receipt(status: int | None, body: bytes, seconds: float, secrets: Sequence[str]) -> Receipt:
    """Return the record of an exchange: the beginning of the answer, masked."""
    # Masked before it is cut, so that no half of a secret is left.
    text = mask(printable(body[: 8 * _KEPT].decode(errors="replace")), list(secrets))
    return Receipt(status=status, response=text[:_KEPT], duration=round(seconds * 1000))


def words(message: str, secrets: Sequence[str]) -> str:
    """Return one line for people, masked."""
    masked = mask_words(printable(one_line(message, 4 * _LONGEST)), list(secrets))
    return one_line(masked, _LONGEST)


def failed(
    message: str,
    record: Receipt,
    secrets: Sequence[str],
    *,
    is_final: bool = False,
    retry_after: float | None = None,
) -> DeliveryFailed:
    """Return an error whose message is masked and has one line."""
    return DeliveryFailed(
        words(message, secrets),
        record,
        is_final=is_final or record.status == HTTPStatus.GONE,
        is_gone=record.status == HTTPStatus.GONE,
        retry_after=retry_after,
    )


def answer_failed(
    host: str,
    record: Receipt,
    secrets: Sequence[str],
    *,
    location: str = "",
    retry_after: str | None = None,
) -> DeliveryFailed:
    """Return the error for an answer that is not 2xx."""
    status = record.status or 0
    if 300 <= status < 400:
        message = (
            f"{host} answered {status} and points to {location or 'nowhere'}. Redirects are not "
            "followed; give the channel its final address."
        )
    elif status == HTTPStatus.GONE:
        message = f"{host} answered 410: it takes no more messages."
    else:
        message = f"{host} answered {status}."
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return failed(
        message, record, secrets, is_final=too_large, retry_after=retry_seconds(retry_after)
    )


def private_target(host: str, address: str) -> str:
    """Return the message for a target that may not be reached."""
    where = host if host == address else f"{host} ({address})"
    return (
        f"{where} is in a private network, where channels are not allowed. Allow it with "
        "AWEIGH_PRIVATE_TARGETS of the control worker."
    )


def retry_seconds(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header: a number or a date; None if it is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)
