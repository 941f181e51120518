"""The settings of every process: one frozen object, built in main(), passed down.

Each is an environment variable with the prefix `AWEIGH_`; docs/settings.md lists them all.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from aweigh.domain import grammar


def default_data_directory() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/aweigh")
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "aweigh"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="AWEIGH_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    data: Path = Field(default_factory=default_data_directory)
    """Directory of everything this installation keeps: database, keys, tokens, routes."""
    prefix: str = "aweigh"
    """First part of every name on the engine; two installations on one engine differ in it."""
    log_level: str = "info"
    """Least severe log lines to print: debug, info, warning or error."""

    api_host: str = "127.0.0.1"
    """Address the API listens on."""
    api_port: PortNumber = 8700
    """Port the API listens on."""
    api_url: str = ""
    """Where server workers reach the API; https unless it is a loopback address."""
    database_url: str = ""
    """SQLAlchemy URL of the database; empty: an SQLite file in the data directory."""
    keep_logs_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that logs and events of ended deployments stay; those of a live one stay longer."""

    temporal_address: str = "127.0.0.1:7233"
    """Host and port of Temporal's frontend."""
    temporal_namespace: str = "aweigh"
    """Temporal namespace of this installation."""
    temporal_ui_url: str = ""
    """Where people open Temporal's UI; links to workflows begin with it."""
    temporal_ui_port: PortNumber = 8233
    """Port of Temporal's UI in the local stack."""
    temporal_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days that Temporal keeps the history of ended workflows."""

    server: str = "local"
    """Name of the server this server worker serves."""
    server_token_file: Path | None = None
    """File with the server worker's token; empty: `tokens/server-<name>` in the data directory."""
    docker_host: str = "unix:///var/run/docker.sock"
    """Address of the Docker engine."""
    subnet: str = ""
    """Subnet of Aweigh's bridge network (a /16); empty: one that is free, chosen once."""
    bind_roots: tuple[Path, ...] = ()
    """Directories of the server that applications may bind-mount from; none by default."""
    keep_releases: Annotated[int, Field(ge=1, le=100)] = 5
    """Releases of each application whose images stay on the server."""
    disk_reserve_percent: Annotated[int, Field(ge=0, le=90)] = 5
    """Share of the engine's disk that pulls and builds leave free."""
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 2 * 1024**3
    """Bytes of the engine's disk that pulls and builds leave free, if more than the share."""

    build_slots: Annotated[int, Field(ge=1, le=32)] = 1
    """Builds that run at a time on this server."""
    allow_open_build_network: bool = False
    """Build where what is built cannot be kept from this server's own services and networks."""
    build_networks: tuple[Network, ...] = ()
    """Private networks that builds may reach, such as a package mirror's; none by default."""
    private_targets: tuple[Network, ...] = ()
    """Private networks in which repositories may stand; none by default."""

    web_port: PortNumber = 80
    """Port of the proxy for HTTP."""
    web_secure_port: PortNumber = 443
    """Port of the proxy for HTTPS."""
    proxy_api_port: PortNumber = 8701
    """Port of the proxy's own API, on loopback."""
    proxy_probe_port: PortNumber = 8702
    """Port of the proxy's probe entry point, on loopback."""
    proxy_image: str = "traefik:v3.7.15"
    """Image of the proxy, used where it can be pulled; else one made from the packaged binary."""
    acme_email: str = ""
    """E-mail address for certificates by ACME; empty: TLS with the proxy's own certificate."""
    acme_server: str = "https://acme-v02.api.letsencrypt.org/directory"
    """Directory of the ACME certificate authority."""
    acme_ca_file: Path | None = None
    """Certificate by which the ACME server itself is trusted, where it is a private one."""

    @field_validator("prefix", "server")
    @classmethod
    def _slug(cls, name: str) -> str:
        if not grammar.matches(grammar.SLUG, name):
            raise ValueError("is not a name (a-z, 0-9 and '-', first a letter, at most 40)")
        return name

    @model_validator(mode="after")
    def _worker_speaks_tls(self) -> Self:
        url = urlsplit(self.api_base)
        host = url.hostname or ""
        within = url.scheme == "http" and _is_loopback(host)
        if not host or not (url.scheme == "https" or within):
            raise ValueError("api_url must be https: secrets travel over it")
        return self

    @property
    def api_base(self) -> str:
        return (self.api_url or f"http://127.0.0.1:{self.api_port}").rstrip("/")

    @property
    def ui_base(self) -> str:
        return (self.temporal_ui_url or f"http://127.0.0.1:{self.temporal_ui_port}").rstrip("/")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data / 'aweigh.db'}"

    @property
    def tokens(self) -> Path:
        return self.data / "tokens"

    @property
    def server_data(self) -> Path:
        """Everything of the server worker, under one mount: renames across two would fail."""
        return self.data / "server"

    @property
    def token_file(self) -> Path:
        return self.server_token_file or self.tokens / f"server-{self.server}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
