"""The types of settings: each rejects values that cannot work, with the reason."""

import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from aweigh.core import grammar
from aweigh.core.endpoint import endpoint, is_loopback
from aweigh.core.private_target import PrivateTarget

_DRIVERS: Final = ("postgresql+psycopg", "sqlite+aiosqlite")


def default_data_directory() -> Path:
    """Return `/var/lib/aweigh` for root, else a directory below the XDG data directory."""
    if os.geteuid() == 0:
        return Path("/var/lib/aweigh")
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "aweigh"


def _prefix(prefix: str) -> str:
    if not grammar.matches(grammar.PREFIX, prefix):
        raise ValueError("is not a name prefix (a-z and 0-9, first a letter, at most 20)")
    return prefix


def _name(name: str) -> str:
    if not grammar.matches(grammar.KNOWN_SLUG, name):
        raise ValueError("is not a name (a-z, 0-9 and '-', first a letter, at most 40)")
    return name


def _api_url(text: str) -> str:
    url = urlsplit(text)
    host = url.hostname or ""
    within = url.scheme == "http" and is_loopback(host)
    if text and (not host or url.port == 0 or not (url.scheme == "https" or within)):
        raise ValueError("must be https: secrets travel over it")
    return text


def _https_url(text: str) -> str:
    url = urlsplit(text)
    host = url.hostname or ""
    if not host or not (url.scheme == "https" or is_loopback(host)):
        raise ValueError("must be https: tokens travel over it")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    if not text:
        return text
    from sqlalchemy.engine import make_url  # not installed for a server worker alone
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # may contain the password
        raise ValueError("is not a database URL") from error
    if url.drivername not in _DRIVERS:
        raise ValueError(f"must begin with {' or '.join(f'{one}://' for one in _DRIVERS)}")
    if url.drivername == "sqlite+aiosqlite" and not (url.database or "").startswith("/"):
        raise ValueError("needs the absolute path of a file: sqlite+aiosqlite:////path")
    return text


def _address(address: str) -> str:
    endpoint(address)
    return address


def _subnet(subnet: str) -> str:
    if subnet and ipaddress.IPv4Network(subnet).prefixlen != 16:
        raise ValueError(f"must be a /16, not {subnet}")
    return subnet


def _listed(given: Any, separators: str = "[,:]") -> Any:
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        return json.loads(given)
    return [part.strip() for part in re.split(separators, given) if part.strip()]


def _by_commas(given: Any) -> Any:
    return _listed(given, ",")


def _not_everybody(networks: tuple["Network", ...]) -> tuple["Network", ...]:
    for network in networks:
        if network.prefixlen == 0:
            raise ValueError(
                f"{network} contains all addresses: any client could claim any address"
            )
    return networks


def _absolute(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    for root in roots:
        if not root.is_absolute():
            raise ValueError(f"{root} is not an absolute path")
    return roots


def _target(given: Any) -> Any:
    return PrivateTarget.parse(given) if isinstance(given, str) else given


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PortNumber = Annotated[int, Field(ge=1, le=65535)]
OptionalFile = Annotated[Path | None, BeforeValidator(lambda path: path or None)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)]
#: Made absolute: it is also used in mounts and by other processes.
RootedPath = Annotated[Path, AfterValidator(Path.absolute)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Name = Annotated[str, AfterValidator(_name)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
HttpsUrl = Annotated[str, AfterValidator(_https_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
#: Host and port.
Address = Annotated[str, AfterValidator(_address)]
Subnet = Annotated[str, AfterValidator(_subnet)]
#: Written as JSON, or separated by commas or colons.
Directories = Annotated[tuple[Path, ...], BeforeValidator(_listed), AfterValidator(_absolute)]
#: Written as JSON, or separated by commas.
TrustedNetworks = Annotated[
    tuple[Network, ...], BeforeValidator(_by_commas), AfterValidator(_not_everybody)
]
#: A private network or address, perhaps with a port.
WrittenTarget = Annotated[PrivateTarget, BeforeValidator(_target)]
