"""The settings of every process: one frozen object, built in main(), passed down.

Each is an environment variable with the prefix `AWEIGH_`; docs/settings.md lists them all.
"""

from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aweigh.builds.source.private_target import WrittenTarget
from aweigh.core.endpoint import answers, endpoint, is_loopback
from aweigh.core.setting_types import (
    Address,
    ApiUrl,
    DatabaseUrl,
    Directories,
    HttpsUrl,
    LogLevel,
    Name,
    Network,
    OptionalFile,
    PortNumber,
    Prefix,
    RootedPath,
    Subnet,
    TrustedNetworks,
    default_data_directory,
)
from aweigh.images.platform import WrittenPlatform


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="AWEIGH_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    data: RootedPath = Field(default_factory=default_data_directory)
    """Directory of everything this installation keeps: database, keys, tokens, routes."""
    prefix: Prefix = "aweigh"
    """First part of every name on the engine (a-z, 0-9); differs between installations."""
    log_level: LogLevel = "info"
    """Least severe log lines to print: debug, info, warning or error."""

    api_host: str = "127.0.0.1"
    """Address the API listens on; beyond this machine, set the API's URL too."""
    api_port: PortNumber = 8700
    """Port the API listens on."""
    api_url: ApiUrl = ""
    """Where server workers reach the API; https unless a loopback address, as by default."""
    api_connections: Annotated[int, Field(ge=64, le=50_000)] = 2000
    """Connections the API holds at a time; fewer where the limit of open files says so."""
    api_failures_a_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 120
    """Calls with a wrong secret, token or signature that one address may make; 0: any number."""
    api_trusted_proxies: tuple[Network, ...] = (
        ip_network("127.0.0.0/8"),
        ip_network("::1"),
    )
    """Networks of web servers in front of the API whose `X-Forwarded-For` says who calls."""
    database_url: DatabaseUrl = ""
    """SQLAlchemy URL of the database; empty: an SQLite file in the data directory."""
    keep_logs_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that logs and events of ended deployments stay; those of a live one stay longer."""

    temporal_address: Address = "127.0.0.1:7233"
    """Host and port of Temporal's frontend."""
    temporal_namespace: str = "aweigh"
    """Temporal namespace of this installation."""
    temporal_tls_ca_file: OptionalFile = None
    """Certificates (PEM) that Temporal's is trusted by; with this or the next, TLS is spoken."""
    temporal_tls_cert_file: OptionalFile = None
    """Certificate (PEM) by which Temporal knows this process (mTLS)."""
    temporal_tls_key_file: OptionalFile = None
    """Key (PEM) of that certificate."""
    temporal_ui_url: str = ""
    """Where people open Temporal's UI; links to workflows begin with it."""
    temporal_ui_port: PortNumber = 8233
    """Port of Temporal's UI in the local stack."""
    temporal_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days that Temporal keeps the history of ended workflows."""

    server: Name = "local"
    """Name of the server this server worker serves."""
    server_token_file: OptionalFile = None
    """File with the server worker's token; empty: `tokens/server-<name>` in the data directory."""
    docker_host: str = "unix:///var/run/docker.sock"
    """Address of the Docker engine."""
    platforms: tuple[WrittenPlatform, ...] = ()
    """Platforms that this server emulates, such as `linux/arm64`, where its kernel hides it."""
    subnet: Subnet = ""
    """Addresses of the applications' networks (a /16); empty: one that is free, chosen once."""
    application_networks: tuple[IPv4Network, ...] = ()
    """Link-local or closed private networks that applications may reach all the same."""
    close_private_networks: bool = False
    """Keep applications from private networks too, and from this server's private addresses."""
    bind_roots: Annotated[Directories, NoDecode] = ()
    """Directories of the server that applications may bind-mount from; none by default."""
    keep_releases: Annotated[int, Field(ge=1, le=100)] = 5
    """Releases of each application whose images stay on the server."""
    disk_reserve_percent: Annotated[int, Field(ge=0, le=90)] = 5
    """Share of the engine's disk that pulls and builds leave free."""
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 2 * 1024**3
    """Bytes of the engine's disk that pulls and builds leave free, if more than the share."""

    log_bytes: Annotated[int, Field(ge=64 * 1024)] = 64 * 1024**2
    """Bytes from which on a deployment's log takes no more of what builds print."""
    build_slots: Annotated[int, Field(ge=1, le=32)] = 1
    """Builds that run at a time on this server."""
    allow_open_build_network: bool = False
    """Build where what is built cannot be kept from this server's own services and networks."""
    buildkit_image: str = "moby/buildkit:v0.25.1-rootless"
    """Image of the BuildKit that builds Dockerfiles; a rootless one."""
    trusted_builders: tuple[str, ...] = (
        "heroku/builder",
        "heroku/buildpacks",
        "paketobuildpacks/*",
        "gcr.io/buildpacks/*",
    )
    """Builders whose own lifecycle may use the engine; what others bring never sees it."""
    lifecycle_image: str = "buildpacksio/lifecycle:0.20.8"
    """Image of the lifecycle that writes the images of all other builders."""
    keep_builders_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days without a build that needs them until builders and other pulled tools go."""
    build_networks: tuple[Network, ...] = ()
    """Private networks that builds may reach, such as a package mirror's; none by default."""
    private_targets: tuple[WrittenTarget, ...] = ()
    """Private networks, or addresses with a port, where repositories may stand; none by default."""

    branch_poll_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300
    """Seconds between polls of followed branches, which find undelivered pushes; 0: never."""

    github_api_url: HttpsUrl = "https://api.github.com"
    """GitHub's REST API; of a GitHub Enterprise Server, `https://<host>/api/v3`."""
    github_app_id: str = ""
    """Id of this installation's GitHub App; empty: there is none."""
    github_app_key_file: OptionalFile = None
    """Private key (PEM) of the GitHub App."""
    github_app_webhook_secret_file: OptionalFile = None
    """File with the webhook secret of the GitHub App."""

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
    upload_seconds: Annotated[int, Field(ge=1, le=604_800)] = 3600
    """Seconds within which a request has to arrive at the proxy, its body included."""
    trusted_proxies: Annotated[TrustedNetworks, NoDecode] = ()
    """Load balancers or CDNs in front whose `X-Forwarded-…` headers count; none by default."""
    proxy_protocol: bool = False
    """Take the client's address from the PROXY protocol, where trusted proxies speak it."""
    acme_email: str = ""
    """E-mail address for certificates by ACME; empty: TLS with the proxy's own certificate."""
    acme_server: str = "https://acme-v02.api.letsencrypt.org/directory"
    """Directory of the ACME certificate authority."""
    acme_ca_file: OptionalFile = None
    """Certificate by which the ACME server itself is trusted, where it is a private one."""

    @model_validator(mode="after")
    def _protocol_has_its_proxies(self) -> Self:
        if self.proxy_protocol and not self.trusted_proxies:
            raise ValueError("AWEIGH_PROXY_PROTOCOL needs AWEIGH_TRUSTED_PROXIES: who speaks it")
        return self

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.temporal_tls_cert_file is None) != (self.temporal_tls_key_file is None):
            raise ValueError(
                "AWEIGH_TEMPORAL_TLS_CERT_FILE and AWEIGH_TEMPORAL_TLS_KEY_FILE need each other"
            )
        return self

    @model_validator(mode="after")
    def _app_has_its_key(self) -> Self:
        if bool(self.github_app_id) != bool(self.github_app_key_file):
            raise ValueError("AWEIGH_GITHUB_APP_ID and AWEIGH_GITHUB_APP_KEY_FILE need each other")
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        taken: dict[int, str] = {}
        for name in (one for one in type(self).model_fields if one.endswith("_port")):
            other = taken.setdefault(getattr(self, name), name)
            if other != name:
                raise ValueError(f"AWEIGH_{other.upper()} and AWEIGH_{name.upper()} are one port")
        return self

    @model_validator(mode="after")
    def _worker_reaches_the_api(self) -> Self:
        url = urlsplit(self.api_base)
        asked = url.hostname or ""
        if url.port == self.api_port and is_loopback(asked) and not answers(self.api_host, asked):
            raise ValueError(
                f"AWEIGH_API_HOST is {self.api_host}, but the server worker asks {self.api_base}: "
                "set AWEIGH_API_HOST=0.0.0.0, or AWEIGH_API_URL to an https URL in front of it"
            )
        return self

    @property
    def api_base(self) -> str:
        return (self.api_url or f"http://127.0.0.1:{self.api_port}").rstrip("/")

    @property
    def ui_base(self) -> str:
        return (self.temporal_ui_url or f"http://127.0.0.1:{self.temporal_ui_port}").rstrip("/")

    def workflow_page(self, workflow_id: str) -> str:
        """Where people look at a workflow."""
        base = f"{self.ui_base}/namespaces/{self.temporal_namespace}/workflows"
        return f"{base}/{quote(workflow_id, safe='')}"

    @property
    def temporal_endpoint(self) -> tuple[str, int]:
        """Host and port of Temporal's frontend."""
        return endpoint(self.temporal_address)

    @property
    def temporal_tls(self) -> bool:
        return bool(self.temporal_tls_ca_file or self.temporal_tls_cert_file)

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
