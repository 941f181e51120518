"""What the child processes that use apprise are told, and what they report."""

from dataclasses import dataclass
from typing import Final, Literal, NotRequired, TypedDict


class Mail(TypedDict):
    host: str
    port: int
    security: Literal["starttls", "tls"]
    username: str | None
    password: str | None
    sender: str
    to: list[str]


class Order(TypedDict):
    """One message; JSON on the child's standard input, since others can read its arguments."""

    #: The notification's, the same in every attempt.
    id: str
    thread: str
    #: What the receiver answered to the first message of the thread.
    answered: str
    title: str
    body: str
    format: Literal["text", "html"]
    tone: Literal["info", "success", "failure"]
    #: Networks that may be reached although they are private.
    private: list[str]
    #: The module of apprise, and its address; or a mail instead.
    module: NotRequired[str]
    url: NotRequired[str]
    #: Whether the body is written in the receiver's own markup already.
    is_rendered: NotRequired[bool]
    mail: NotRequired[Mail]


#: Of what a receiver says, characters that are reported.
MOST_SAID: Final = 8 * 1024


@dataclass
class Report:
    """How the last exchange with the receiver went."""

    accepted: bool = False
    #: HTTP status or SMTP code.
    status: int | None = None
    host: str = ""
    body: str = ""
    location: str = ""
    retry_after: str | None = None
    #: What went wrong, if it was not an answer's status.
    message: str | None = None
    is_final: bool = False
    #: The address that may not be reached, if that was it.
    refused: str | None = None
    #: How long the child took; not reported by itself.
    seconds: float = 0.0


class AddressQuestion(TypedDict):
    """An address to check; JSON on the child's standard input, too."""

    module: str
    url: str


@dataclass
class Acceptance:
    """What apprise makes of an address."""

    #: Why it does not take it, without anything of the address.
    refusal: str | None = None
    #: How many requests a message takes.
    receivers: int = 0
