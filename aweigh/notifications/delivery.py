"""What is sent to a channel, and what came back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from aweigh.core.errors import AweighError


@dataclass(frozen=True)
class Notification:
    """A message to one channel, the same in every attempt."""

    #: The same in every attempt, so that receivers can recognise repeats.
    id: str
    at: datetime
    #: The JSON that webhooks receive.
    payload: str
    #: For people: one line, then a few lines; without any markup.
    title: str
    text: str
    #: The last lines of a failed deployment's log, masked.
    log: tuple[str, ...] = ()
    #: Receivers show it as a colour.
    tone: Literal["info", "success", "failure"] = "info"
    #: What a person may open next, by its label.
    links: tuple[tuple[str, str], ...] = ()
    #: Messages of the same thread belong to one deployment; "" for none.
    thread: str = ""
    #: What the receiver answered to the first one of the thread, as far as it is kept.
    answered: str = ""


@dataclass(frozen=True)
class Receipt:
    """The answer to one attempt."""

    #: HTTP status or SMTP code; None if nothing answered.
    status: int | None
    #: The first kilobyte of the answer, masked.
    response: str
    #: Milliseconds.
    duration: int
    #: For people, although it was accepted; masked.
    remark: str = ""


class DeliveryFailed(Exception):
    """An attempt that was not accepted; the message is masked.

    `is_final` tells that a repetition is pointless, `is_gone` that the receiver no longer exists
    (410); `retry_after` is what the receiver asked for, in seconds.
    """

    def __init__(
        self,
        message: str,
        receipt: Receipt,
        *,
        is_final: bool = False,
        is_gone: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.receipt = receipt
        self.is_final = is_final
        self.is_gone = is_gone
        self.retry_after = retry_after


class NotDelivered(AweighError):
    """An attempt failed, and its failure is recorded; the message is masked.

    `again_in` is the time until the next attempt; None if this was the last one.
    """

    def __init__(self, message: str, again_in: timedelta | None = None) -> None:
        super().__init__(message)
        self.again_in = again_in
