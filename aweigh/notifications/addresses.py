"""The grammars of targets: URLs, hosts, e-mail addresses."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from aweigh.core import grammar
from aweigh.core.address_rules import may_reach
from aweigh.core.private_target import Address, PrivateTarget

_PORTS: Final = {"https": 443, "http": 80}
_LONGEST_URL: Final = 2000
#: Printable ASCII.
_URL: Final = re.compile(r"[\x21-\x7e]+")
#: What URL parsers take for the number of an IPv4 address: decimal, octal or hexadecimal.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAILBOX: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")


@dataclass(frozen=True)
class Endpoint:
    """A host and a port that Aweigh connects to for a channel."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def host(text: str) -> str:
    """Return a host in lower case: a name, or an IP address without brackets.

    Raises:
        ValueError
    """
    lower = text.lower().removesuffix(".")
    if ":" in lower:
        try:
            return str(ipaddress.IPv6Address(lower))
        except ValueError:
            raise ValueError("holds no valid IPv6 address") from None
    if _NUMBER.fullmatch(lower.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(lower))
        except ValueError:
            raise ValueError("holds an IPv4 address that is not four decimal numbers") from None
    if not grammar.matches(grammar.HOST, lower):
        raise ValueError("holds no valid host name (letters, digits, '-' and '.')")
    return lower


def web_address(secret: SecretStr) -> SecretStr:
    """Return the URL if it is one that a notification can be sent to.

    Raises:
        ValueError: it is not; the message holds nothing of it.
    """
    text = secret.get_secret_value()
    parts = _split(text)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("is not an https:// or http:// address")
    if len(text) > _LONGEST_URL:
        raise ValueError(f"is longer than {_LONGEST_URL} characters")
    if not _URL.fullmatch(text):
        raise ValueError("holds spaces, control characters or letters that are not percent-encoded")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or a password, which are not supported")
    if parts.fragment:
        raise ValueError("holds a fragment ('#…'), which is never sent")
    host(parts.hostname)
    return secret


def address_with_path(secret: SecretStr) -> SecretStr:
    """Raises: ValueError: it is no web address, or has no path."""
    parts = urlsplit(web_address(secret).get_secret_value())
    if not parts.path.strip("/"):
        raise ValueError("holds no path; give the whole address")
    return secret


def address_without_query(secret: SecretStr) -> SecretStr:
    """Raises: ValueError: it is no web address, or has a query."""
    if urlsplit(web_address(secret).get_secret_value()).query:
        raise ValueError("holds a query ('?…'); give the server's address")
    return secret


def address_without_path(secret: SecretStr) -> SecretStr:
    """Raises: ValueError: it is no web address, or has a path or a query."""
    if urlsplit(address_without_query(secret).get_secret_value()).path.strip("/"):
        raise ValueError("holds a path; give the server alone, such as https://matrix.example.com")
    return secret


def topic_address(secret: SecretStr) -> SecretStr:
    """Raises: ValueError: it is no web address whose path is one topic of ntfy."""
    address_with_path(address_without_query(secret))
    if not _TOPIC.fullmatch(urlsplit(secret.get_secret_value()).path.strip("/")):
        raise ValueError("does not name one topic, such as https://ntfy.sh/deployments")
    return secret


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        return parts if parts.port != 0 else None
    except ValueError:  # of the port, or of brackets
        return None


def endpoint_of(url: SecretStr) -> Endpoint:
    """Return the endpoint of a web address."""
    parts = urlsplit(url.get_secret_value())
    return Endpoint(host(parts.hostname or ""), parts.port or _PORTS[parts.scheme])


def written_endpoint(url: SecretStr) -> Endpoint | None:
    """Return the endpoint of any URL whose host is `localhost` or an IP address.

    Otherwise the place of the host may hold a token, as it does in addresses of apprise.
    """
    parts = _split(url.get_secret_value())
    if parts is None or not parts.hostname:
        return None
    name = parts.hostname
    if name != "localhost" and not name.endswith(".localhost"):
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return None
    is_secure = parts.scheme.endswith("s")
    return Endpoint(name, parts.port or _PORTS["https" if is_secure else "http"])


def origin_of(url: SecretStr) -> str:
    return f"{urlsplit(url.get_secret_value()).scheme}://{endpoint_of(url)}"


def shown(url: SecretStr) -> str:
    """Return the host of a web address, and its port if it is unusual: nothing secret."""
    parts, endpoint = urlsplit(url.get_secret_value()), endpoint_of(url)
    if endpoint.port == _PORTS[parts.scheme]:
        return str(endpoint).rpartition(":")[0]
    return str(endpoint)


def mail_address(text: str) -> str:
    """Return an e-mail address if it is a plain one, without a display name.

    Raises:
        ValueError
    """
    mailbox, at, domain = text.rpartition("@")
    if (
        not at
        or not _MAILBOX.fullmatch(mailbox)
        or not grammar.matches(grammar.HOST, domain.lower())
    ):
        raise ValueError("is not an e-mail address, such as ops@example.com")
    return text


def is_refused(endpoint: Endpoint, private: tuple[PrivateTarget, ...]) -> bool:
    """Whether the host is written as an address that may not be reached.

    Names are resolved when a notification is sent, and their addresses are checked then.
    """
    if endpoint.host == "localhost" or endpoint.host.endswith(".localhost"):
        return not may_reach(ipaddress.IPv4Address("127.0.0.1"), endpoint.port, private)
    try:
        address: Address = ipaddress.ip_address(endpoint.host)
    except ValueError:
        return False
    return not may_reach(address, endpoint.port, private)
