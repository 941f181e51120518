"""The settings of every process: one frozen object, built in main() and passed down.

Each setting is an environment variable with the prefix `AWEIGH_`; docs/settings.md lists them.
"""

from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aweigh.core.endpoint import answers, endpoint, is_loopback
from aweigh.core.platform import WrittenPlatform
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
    WrittenTarget,
    default_data_directory,
)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="AWEIGH_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    data: RootedPath = Field(default_factory=default_data_directory)
    """Directory of all data of this installation: database, keys, tokens, routes."""
    prefix: Prefix = "aweigh"
    """Prefix of all names on the engine (a-z, 0-9); must differ between installations."""
    log_level: LogLevel = "info"
    """Minimum level of printed log lines: debug, info, warning or error."""

    api_host: str = "127.0.0.1"
    """Address the API listens on; if other machines use it, set the API's URL too."""
    api_port: PortNumber = 8700
    """Port the API listens on."""
    api_url: ApiUrl = ""
    """URL at which server workers reach the API; must be https unless it is a loopback address."""
    api_connections: Annotated[int, Field(ge=64, le=50_000)] = 2000
    """Maximum number of API connections; lower if the limit of open files requires it."""
    api_failures_a_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 120
    """Maximum failed authentications per minute and address; 0 means unlimited."""
    api_trusted_proxies: tuple[Network, ...] = (
        ip_network("127.0.0.0/8"),
        ip_network("::1"),
    )
    """Networks of web servers in front of the API whose `X-Forwarded-For` header is trusted."""
    database_url: DatabaseUrl = ""
    """SQLAlchemy URL of the database; empty means an SQLite file in the data directory."""
    keep_logs_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days to keep logs and events of ended deployments; those of live ones are kept longer."""

    temporal_address: Address = "127.0.0.1:7233"
    """Host and port of Temporal's frontend."""
    temporal_namespace: str = "aweigh"
    """Temporal namespace of this installation."""
    temporal_tls_ca_file: OptionalFile = None
    """CA certificates (PEM) for Temporal; setting this or the client certificate enables TLS."""
    temporal_tls_cert_file: OptionalFile = None
    """Client certificate (PEM) for Temporal (mTLS)."""
    temporal_tls_key_file: OptionalFile = None
    """Private key (PEM) of the client certificate."""
    temporal_ui_url: str = ""
    """URL of Temporal's UI, the start of links to workflows."""
    temporal_ui_port: PortNumber = 8233
    """Port of Temporal's UI in the local stack."""
    temporal_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days that Temporal keeps the history of closed workflows."""

    server: Name = "local"
    """Name of the server that this server worker serves."""
    server_token_file: OptionalFile = None
    """File with the worker's token; empty means `tokens/server-<name>` in the data directory."""
    docker_host: str = "unix:///var/run/docker.sock"
    """Address of the Docker engine."""
    platforms: tuple[WrittenPlatform, ...] = ()
    """Platforms this server emulates, such as `linux/arm64`, if its kernel does not list them."""
    subnet: Subnet = ""
    """Subnet of the applications' networks (a /16); empty means a free one, chosen once."""
    application_networks: tuple[IPv4Network, ...] = ()
    """Link-local or closed private networks that applications may reach nevertheless."""
    close_private_networks: bool = False
    """Keep applications out of private networks, and of this server's private addresses."""
    bind_roots: Annotated[Directories, NoDecode] = ()
    """Directories of the server that applications may bind-mount from; none by default."""
    keep_releases: Annotated[int, Field(ge=1, le=100)] = 5
    """Releases of each application whose images stay on the server."""
    disk_reserve_percent: Annotated[int, Field(ge=0, le=90)] = 5
    """Percentage of the engine's disk that pulls and builds leave free."""
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 2 * 1024**3
    """Bytes of the engine's disk that pulls and builds leave free, if more than the percentage."""

    log_bytes: Annotated[int, Field(ge=64 * 1024)] = 64 * 1024**2
    """Maximum bytes of build output in a deployment's log."""
    build_slots: Annotated[int, Field(ge=1, le=32)] = 1
    """Maximum number of simultaneous builds on this server."""
    allow_open_build_network: bool = False
    """Allow builds even if they cannot be kept out of this server's own services and networks."""
    buildkit_image: str = "moby/buildkit:v0.25.1-rootless"
    """Image of the BuildKit that builds Dockerfiles; must be a rootless one."""
    trusted_builders: tuple[str, ...] = (
        "heroku/builder",
        "heroku/buildpacks",
        "paketobuildpacks/*",
        "gcr.io/buildpacks/*",
    )
    """Builders whose own lifecycle may use the engine; all others run without access to it."""
    lifecycle_image: str = "buildpacksio/lifecycle:0.20.8"
    """Image of the lifecycle that exports images for builders that are not trusted."""
    keep_builders_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Remove builders and other pulled build tools unused for this many days."""
    build_networks: tuple[Network, ...] = ()
    """Private networks that builds may reach, such as a package mirror's; none by default."""
    private_targets: tuple[WrittenTarget, ...] = ()
    """Private networks, or addresses with a port, that repositories and channels may be in."""

    branch_poll_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300
    """Seconds between polls of branches, which find undelivered pushes; 0 disables them."""

    github_api_url: HttpsUrl = "https://api.github.com"
    """URL of GitHub's REST API; for GitHub Enterprise Server, `https://<host>/api/v3`."""
    github_app_id: str = ""
    """Id of this installation's GitHub App; empty if there is none."""
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
    """Image of the proxy; if it cannot be pulled, one is made from the packaged binary."""
    upload_seconds: Annotated[int, Field(ge=1, le=604_800)] = 3600
    """Maximum seconds for a request to arrive at the proxy, including its body."""
    trusted_proxies: Annotated[TrustedNetworks, NoDecode] = ()
    """Load balancers or CDNs whose `X-Forwarded-…` headers are trusted; none by default."""
    proxy_protocol: bool = False
    """Take the client's address from the PROXY protocol if a trusted proxy uses it."""
    acme_email: str = ""
    """E-mail address for ACME certificates; empty means the proxy's own self-signed certificate."""
    acme_server: str = "https://acme-v02.api.letsencrypt.org/directory"
    """Directory URL of the ACME certificate authority."""
    acme_ca_file: OptionalFile = None
    """CA certificate of a private ACME server."""

    @model_validator(mode="after")
    def _protocol_has_its_proxies(self) -> Self:
        if self.proxy_protocol and not self.trusted_proxies:
            raise ValueError(
                "AWEIGH_PROXY_PROTOCOL requires AWEIGH_TRUSTED_PROXIES, the proxies that use it"
            )
        return self

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.temporal_tls_cert_file is None) != (self.temporal_tls_key_file is None):
            raise ValueError(
                "AWEIGH_TEMPORAL_TLS_CERT_FILE and AWEIGH_TEMPORAL_TLS_KEY_FILE must be set "
                "together"
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
                raise ValueError(f"AWEIGH_{other.upper()} and AWEIGH_{name.upper()} must differ")
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
        """Return the URL of a workflow in Temporal's UI."""
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
        """The server worker's data, all in one mount: renames between two mounts would fail."""
        return self.data / "server"

    @property
    def token_file(self) -> Path:
        return self.server_token_file or self.tokens / f"server-{self.server}"
