"""The proxy: one Traefik container on the host's network, without the engine's socket."""

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from aweigh.core.errors import NameTaken
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason
from aweigh.deployments.step_errors import (
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.container import Container
from aweigh.engine.container_spec import (
    ContainerSpec,
    Mount,
)
from aweigh.engine.engine import Engine
from aweigh.engine.labels import (
    INSTANCE,
    PLAN,
    ROLE,
)
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images
from aweigh.routing.proxy_image import PULL_SECONDS, ProxyImage
from aweigh.routing.route import PROBE, RESOLVER, WEB, WEB_SECURE
from aweigh.routing.traefik import Traefik
from aweigh.servers.ports import holder_of

_START_SECONDS: Final = 30.0
_ROUTES: Final = "/etc/aweigh/routes"
_CERTIFICATES: Final = "/var/lib/aweigh/certificates"
_AUTHORITY: Final = "/etc/aweigh/acme-authority.pem"


@dataclass(frozen=True, kw_only=True)
class ProxyPlan:
    """The settings of the proxy's container."""

    name: str
    instance: str
    image: str
    web_port: int
    web_secure_port: int
    api_port: int
    probe_port: int
    routes: Path
    certificates: Path
    acme_email: str = ""
    acme_server: str = ""
    acme_ca_file: Path | None = None
    upload_seconds: int = 3600
    trusted_proxies: tuple[str, ...] = ()
    proxy_protocol: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.web_port, self.web_secure_port, self.api_port, self.probe_port)


def _public(entry_point: str, plan: ProxyPlan) -> dict[str, str]:
    """Return the flags of an entry point that is open to the public."""
    prefix = f"entrypoints.{entry_point}"
    flags = {
        # For head and body together: Traefik has no separate limit for the head.
        f"{prefix}.transport.respondingtimeouts.readtimeout": f"{plan.upload_seconds}s",
    }
    if plan.trusted_proxies:
        trusted = ",".join(plan.trusted_proxies)
        flags[f"{prefix}.forwardedheaders.trustedips"] = trusted
        if plan.proxy_protocol:
            flags[f"{prefix}.proxyprotocol.trustedips"] = trusted
    return flags


def arguments(plan: ProxyPlan) -> tuple[str, ...]:
    """Return Traefik's static configuration, as arguments."""
    entry_points = (WEB, WEB_SECURE, PROBE, "traefik")
    flags = {
        "global.checknewversion": "false",
        "global.sendanonymoususage": "false",
        f"entrypoints.{WEB}.address": f":{plan.web_port}",
        f"entrypoints.{WEB_SECURE}.address": f":{plan.web_secure_port}",
        f"entrypoints.{PROBE}.address": f"127.0.0.1:{plan.probe_port}",
        "entrypoints.traefik.address": f"127.0.0.1:{plan.api_port}",
        **_public(WEB, plan),
        **_public(WEB_SECURE, plan),
        # Backends with CGI, WSGI or PHP read X_Real_Ip and X.Real.Ip as X-Real-Ip.
        **{f"entrypoints.{one}.http.aliasheadersstrategy": "delete" for one in entry_points},
        "api.insecure": "true",  # on the entry point above, which is on loopback
        "api.dashboard": "false",
        "providers.file.directory": _ROUTES,
        "providers.file.watch": "true",
        "providers.providersthrottleduration": "100ms",
        # Short, so that the last connection closes soon after the last request.
        "serverstransport.forwardingtimeouts.idleconntimeout": "1s",
        "serverstransport.forwardingtimeouts.dialtimeout": "2s",
        "serverstransport.maxidleconnsperhost": "200",
        "log.level": "INFO",
    }
    if plan.acme_email:
        resolver = f"certificatesresolvers.{RESOLVER}.acme"
        flags |= {
            f"{resolver}.email": plan.acme_email,
            f"{resolver}.caserver": plan.acme_server,
            f"{resolver}.storage": f"{_CERTIFICATES}/acme.json",
            f"{resolver}.httpchallenge.entrypoint": WEB,
        }
    return tuple(f"--{name}={value}" for name, value in flags.items())


def digest_of(plan: ProxyPlan) -> str:
    """Return a digest that changes whenever the container must be recreated."""
    return hashlib.sha256(repr((plan, arguments(plan))).encode()).hexdigest()


def proxy_spec(plan: ProxyPlan, image: ImageFacts) -> ContainerSpec:
    authority: tuple[Mount, ...] = ()
    if plan.acme_ca_file:
        authority = (Mount(source=str(plan.acme_ca_file), target=_AUTHORITY, read_only=True),)
    return ContainerSpec(
        name=plan.name,
        image=image.id,
        labels={
            INSTANCE: plan.instance,
            ROLE: "proxy",
            PLAN: digest_of(plan),
            "traefik.enable": "false",
        },
        entrypoint=("traefik",),
        command=arguments(plan),
        network="host",
        mounts=(
            Mount(source=str(plan.routes), target=_ROUTES, read_only=True),
            Mount(source=str(plan.certificates), target=_CERTIFICATES),
            *authority,
        ),
        env={"LEGO_CA_CERTIFICATES": _AUTHORITY} if authority else {},
        restart="always",
    )


class Proxy:
    """Installs and runs the proxy. Callers hold the server's lock, except for `prepare`."""

    def __init__(
        self,
        plan: ProxyPlan,
        engine: Engine,
        images: Images,
        traefik: Traefik,
        patience: float = PULL_SECONDS,
    ) -> None:
        """`patience`: how many seconds the pull of its image may take."""
        self._plan = plan
        self._engine = engine
        self._traefik = traefik
        self._image = ProxyImage(plan.name, plan.image, images, patience)

    async def ensure(self) -> None:
        """Start the proxy unless it runs, and wait until it answers.

        Raises:
            StepError: a port is taken, the name belongs to somebody else, its settings have changed
            since it was created, or it does not start.
        """
        found = await self._engine.container(self._plan.name) or await self._create()
        self._refuse_foreign(found)
        _refuse_outdated(found, self._plan)
        if not found.running:
            await self._refuse_taken_ports()
            await self._engine.start(found.name)
        await self._wait_for_answer()

    async def recreate(self) -> None:
        """Replace its container by one with the current settings; no requests are served meanwhile.

        Raises:
            StepError: as `ensure`; if a port is taken, the old container is started again.
        """
        await self._image.here()  # fail before anything is stopped
        found = await self._engine.container(self._plan.name)
        if found:
            self._refuse_foreign(found)
            await self._engine.stop(found.name)
            try:
                await self._refuse_taken_ports()
            except StepFailed:
                await self._engine.start(found.name)
                raise
            await self._engine.remove(found.name)
        await self.ensure()

    async def image(self) -> ImageFacts:
        """Get its image, even if it is not installed; call it without the server's lock."""
        return await self._image.brought()

    async def installed(self) -> bool:
        return await self._engine.container(self._plan.name) is not None

    async def can_run(self) -> bool:
        """Whether the proxy is installed, or its image exists."""
        return await self.installed() or await self._image.is_here()

    async def _create(self) -> Container:
        plan = self._plan
        await self._refuse_taken_ports()
        for directory in (plan.routes, plan.certificates):
            directory.mkdir(parents=True, exist_ok=True)
        image = await self._image.here()
        with contextlib.suppress(NameTaken):  # the next step checks whose it is
            await self._engine.create(proxy_spec(plan, image))
        found = await self._engine.container(plan.name)
        if found is None:
            raise StepUnavailable(
                Reason.INTERNAL, f"Container {plan.name} was removed right after its creation."
            )
        return found

    def _refuse_foreign(self, found: Container) -> None:
        if found.labels.get(INSTANCE) != self._plan.instance:
            raise StepFailed(
                Reason.START_FAILED,
                f"Container {self._plan.name!r} belongs to another installation or program; set a "
                "different name prefix (AWEIGH_PREFIX).",
            )

    async def _refuse_taken_ports(self) -> None:
        settings = ("AWEIGH_WEB_PORT", "AWEIGH_WEB_SECURE_PORT", "AWEIGH_PROXY_API_PORT",
                    "AWEIGH_PROXY_PROBE_PORT")  # fmt: skip
        for port, setting in zip(self._plan.ports, settings, strict=True):
            if holder := await in_thread(partial(holder_of, port)):
                raise StepFailed(
                    Reason.PORT_TAKEN,
                    f"Port {port}, which the proxy needs, is taken by {holder}. "
                    f"Stop it, or set {setting} to another port.",
                )

    async def _wait_for_answer(self) -> None:
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await self._traefik.answers():
            if asyncio.get_running_loop().time() > deadline:
                lines = await self._engine.last_lines(self._plan.name, 5)
                raise StepUnavailable(
                    Reason.VERIFY_FAILED, f"The proxy does not answer; its last lines: {lines}"
                )
            await asyncio.sleep(0.05)

    async def prepare(self) -> None:
        """Get the proxy's image, unless it is installed; call it without the server's lock.

        Raises:
            StepError: the image cannot be pulled or made.
        """
        if not await self.installed():
            await self._image.brought()


def _refuse_outdated(found: Container, plan: ProxyPlan) -> None:
    if found.labels.get(PLAN) != digest_of(plan):
        raise StepFailed(
            Reason.START_FAILED,
            f"The proxy's settings have changed since its container {found.name} was created. Run "
            "`aweigh proxy recreate` on this server to apply them, or restore the old ones.",
        )
