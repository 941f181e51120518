"""Everything a server worker works with, put together once."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from aweigh.builds.environment import Workshop
from aweigh.builds.firewall import Firewall, interface_of
from aweigh.builds.source.git import Git
from aweigh.builds.source.targets import Targets
from aweigh.containers.addresses import Addresses
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.engine import Container, Engine
from aweigh.containers.isolation import Walls
from aweigh.containers.naming import SERVER_LOCK, Names
from aweigh.containers.networks import Networks
from aweigh.containers.ports import holder_of
from aweigh.containers.probe import Probe
from aweigh.containers.spec import IDENTITY, INSTANCE
from aweigh.containers.volume_owners import Volumes
from aweigh.core.errors import ProxyImageGone
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.deployments.release import Release
from aweigh.images.images import Images
from aweigh.images.platform import ServerPlatforms
from aweigh.images.server_platforms import platforms_of
from aweigh.routing.proxy import Proxy, ProxyPlan
from aweigh.routing.route import Routing
from aweigh.routing.route_files import Commit, Commits
from aweigh.routing.traefik import Traefik
from aweigh.servers.disk import Reserve
from aweigh.servers.fence import Fence
from aweigh.servers.locks import Locks


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server of one installation."""

    instance: str
    name: str
    platforms: ServerPlatforms
    names: Names
    routing: Routing
    bind_roots: tuple[Path, ...]
    #: Paths that no container may ever see: whoever has them has the server.
    guarded: tuple[Path, ...]
    reserve: Reserve
    engine: Engine
    engine_root: Path
    images: Images
    networks: Networks
    volumes: Volumes
    commits: Commits
    fence: Fence
    locks: Locks
    application_networks: ApplicationNetworks
    walls: Walls
    probe: Probe
    proxy: Proxy
    traefik: Traefik
    workshop: Workshop

    @property
    def own_networks(self) -> set[str]:
        """Networks that stay, whether or not a container is in them."""
        return {self.names.bridge, self.names.build_network}

    async def let_through(self, release: Release) -> None:
        """Refuse a release that is older than what is live or has begun here.

        Raises:
            StepFailed: `superseded`.
        """

        def passed() -> None:
            live = self.commits.live(release.slug)
            self.fence.pass_through(
                release.application,
                release.sequence,
                release.deployment,
                live.generation if live else None,
            )

        await in_thread(passed)

    async def verify(self, commit: Commit) -> None:
        """Put down that what the file names was seen to answer, and forget what was before."""

        def verified() -> None:
            generation = commit.generation
            self.fence.verify(generation.application, generation.sequence)
            self.commits.forget_older(generation)

        await in_thread(verified)

    def is_verified(self, release: Release) -> bool:
        """Whether it is live and past its point of no return."""
        live = self.commits.live(release.slug)
        return live is not None and live.names(release) and self.is_beyond_return(live)

    def is_beyond_return(self, commit: Commit) -> bool:
        """Whether what the file names was seen to answer: from then on nothing takes it back."""
        generation = commit.generation
        return self.fence.mark(generation.application).verified == generation.sequence

    def address_of(self, container: Container) -> str:
        """Where the proxy reaches it: its address on its application's own network, or none."""
        own = filter(self.names.is_application_network, container.addresses)
        return next((container.addresses[name] for name in own), "")

    async def ensure_proxy(self) -> None:
        """Have the proxy run; nobody waits at the server's lock for a registry.

        Raises:
            StepError: it cannot be had.
        """
        await self.proxy.prepare()
        async with self.locks.holding(SERVER_LOCK):
            await self.proxy.ensure()

    async def require_proxy(self) -> None:
        """Have the proxy run, of what is here.

        Raises:
            ProxyImageGone: it has to be brought first, which takes longer than this may.
            StepError: it cannot be had.
        """
        if not await self.proxy.can_run():
            raise ProxyImageGone
        async with self.locks.holding(SERVER_LOCK):
            await self.proxy.ensure()

    async def holder_of(self, port: int, protocol: str) -> str | None:
        """Who holds a host port: a container by name, else a process."""
        if container := await self.engine.publisher_of(port, protocol):
            return f"container {container.name}"
        return await in_thread(lambda: holder_of(port, protocol))


async def open_server(settings: Settings, instance: str, identity: str) -> Server:
    """Look at the engine, make what is missing there, and put the adapters together.

    Raises:
        StartupError: the prefix or the subnet belongs to somebody else.
        StepError: the engine does not answer.
    """
    data = settings.server_data
    _prepare(data)
    names = Names(settings.prefix)
    engine = Engine(settings.docker_host)
    images = Images(engine)
    networks = Networks(engine, instance, identity)
    commits = Commits(data / "routes")
    commits.prepare()
    locks = Locks(data / "locks")
    engine_root = Path(await engine.root())
    traefik = Traefik(api_port=settings.proxy_api_port, probe_port=settings.proxy_probe_port)
    return Server(
        instance=instance,
        name=settings.server,
        platforms=await platforms_of(engine, settings.platforms),
        names=names,
        routing=Routing(
            certificates=bool(settings.acme_email),
            secure_port=settings.web_secure_port,
            trusted_proxies=tuple(map(str, settings.trusted_proxies)),
        ),
        bind_roots=settings.bind_roots,
        guarded=_guarded(settings, engine_root),
        reserve=Reserve(settings.disk_reserve_percent, settings.disk_reserve_bytes),
        engine=engine,
        engine_root=engine_root,
        images=images,
        networks=networks,
        volumes=Volumes(engine),
        commits=commits,
        fence=Fence(data / "fences"),
        locks=locks,
        application_networks=ApplicationNetworks(
            engine=engine,
            networks=networks,
            names=names,
            subnet=await networks.subnet(names, settings.subnet),
            commits=commits,
            locks=locks,
            addresses=Addresses(data / "next-address"),
            counter=data / "next-network",
            labels={INSTANCE: instance, IDENTITY: identity},
        ),
        walls=Walls(
            names=names,
            allowed=settings.application_networks,
            private_too=settings.close_private_networks,
        ),
        probe=Probe(),
        proxy=Proxy(_plan(settings, instance, commits.routed), engine, images, traefik),
        traefik=traefik,
        workshop=_workshop(settings, engine, networks),
    )


def _prepare(data: Path) -> None:
    for name in ("locks", "fences", "journal", "certificates"):
        (data / name).mkdir(parents=True, exist_ok=True)


def _workshop(settings: Settings, engine: Engine, networks: Networks) -> Workshop:
    names = Names(settings.prefix)
    workshop = Workshop(
        directory=settings.server_data / "builds",
        git=Git(Targets(settings.private_targets)),
        engine=engine,
        networks=networks,
        names=names,
        firewall=Firewall(
            interface=interface_of(names.build_network), allowed=settings.build_networks
        ),
        buildkit_image=settings.buildkit_image,
        trusted_builders=settings.trusted_builders,
        lifecycle_image=settings.lifecycle_image,
        open_network=settings.allow_open_build_network,
        log_bytes=settings.log_bytes,
        keep_unused=timedelta(days=settings.keep_builders_days),
        socket=Path(settings.docker_host.removeprefix("unix://")),
    )
    workshop.prepare()
    return workshop


def _guarded(settings: Settings, engine_root: Path) -> tuple[Path, ...]:
    """Aweigh's own data, the engine's, and its socket."""
    scheme, _, path = settings.docker_host.partition("://")
    sockets = (Path(path),) if scheme == "unix" else ()
    return (settings.data, engine_root, *sockets)


def _plan(settings: Settings, instance: str, routes: Path) -> ProxyPlan:
    return ProxyPlan(
        name=Names(settings.prefix).proxy,
        instance=instance,
        image=settings.proxy_image,
        web_port=settings.web_port,
        web_secure_port=settings.web_secure_port,
        api_port=settings.proxy_api_port,
        probe_port=settings.proxy_probe_port,
        routes=routes,
        certificates=settings.server_data / "certificates",
        acme_email=settings.acme_email,
        acme_server=settings.acme_server,
        acme_ca_file=settings.acme_ca_file,
        upload_seconds=settings.upload_seconds,
        trusted_proxies=tuple(map(str, settings.trusted_proxies)),
        proxy_protocol=settings.proxy_protocol,
    )
