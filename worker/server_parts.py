"""The collaborators of a server worker's activities, each wired with the few others it uses."""

from datetime import timedelta
from functools import cached_property
from pathlib import Path

from aweigh.builds.containers import BuildContainers
from aweigh.builds.directory import BuildDirectory
from aweigh.builds.images_by_content import ImagesByContent
from aweigh.builds.network import BuildNetwork
from aweigh.builds.server_build_settings import ServerBuildSettings
from aweigh.builds.source.checkout import Checkouts
from aweigh.builds.source.targets import Targets
from aweigh.builds.source_builds import BuildMethods, SourceBuilds
from aweigh.containers.address_space import AddressSpace
from aweigh.containers.application_firewall import ApplicationFirewall
from aweigh.containers.application_networks import ApplicationNetworks
from aweigh.containers.build_firewall import Firewall, interface_of
from aweigh.containers.container_maker import ContainerMaker
from aweigh.containers.host_access import HostAccess
from aweigh.containers.networks import Networks
from aweigh.containers.prerequisites import Prerequisites
from aweigh.containers.release_command import ReleaseCommand
from aweigh.containers.replicas import Replicas
from aweigh.core.settings import Settings
from aweigh.engine.engine import Engine
from aweigh.engine.installation import Installation
from aweigh.engine.labels import (
    IDENTITY,
    INSTANCE,
)
from aweigh.engine.naming import Names
from aweigh.engine.own_containers import OwnContainers
from aweigh.health.exit_watch import ExitWatch
from aweigh.health.gate import HealthGate
from aweigh.health.probe import Probe
from aweigh.images.build_tool_images import BuildToolImages
from aweigh.images.images import Images
from aweigh.images.pull import Puller
from aweigh.images.release_images import ReleaseImages
from aweigh.images.retention import Retention
from aweigh.images.source_images import SourceImages
from aweigh.routing.drain import Drain
from aweigh.routing.fence import Fence
from aweigh.routing.live_state import LiveState
from aweigh.routing.proxy import Proxy, ProxyPlan
from aweigh.routing.proxy_guard import ProxyGuard
from aweigh.routing.proxy_view import ProxyView
from aweigh.routing.route import Routing
from aweigh.routing.route_files import RouteFiles
from aweigh.routing.switch import Switch
from aweigh.routing.traefik import Traefik
from aweigh.routing.verification import Verification
from aweigh.servers.disk import DiskReserve
from aweigh.servers.locks import Locks
from worker.engine_facts import EngineFacts


class ServerParts:
    """Each part is created once, on first use."""

    def __init__(
        self, settings: Settings, instance: str, identity: str, facts: EngineFacts
    ) -> None:
        self.settings = settings
        self.identity = identity
        self.facts = facts
        self.installation = Installation(instance, Names(settings.prefix))

    def prepare(self) -> None:
        """Create the directories in which the parts keep their files."""
        for name in ("locks", "fences", "journal", "certificates"):
            (self.settings.server_data / name).mkdir(parents=True, exist_ok=True)
        self.route_files.prepare()
        self.build_directory.prepare()

    @cached_property
    def locks(self) -> Locks:
        return Locks(self.settings.server_data / "locks")

    @cached_property
    def disk(self) -> DiskReserve:
        settings = self.settings
        return DiskReserve(
            directory=self.facts.root,
            percent=settings.disk_reserve_percent,
            least_bytes=settings.disk_reserve_bytes,
        )

    @cached_property
    def engine(self) -> Engine:
        return Engine(self.settings.docker_host)

    @cached_property
    def containers(self) -> OwnContainers:
        return OwnContainers(self.engine, self.installation.instance)

    @cached_property
    def networks(self) -> Networks:
        return Networks(self.engine, self.installation.instance, self.identity)

    @cached_property
    def application_networks(self) -> ApplicationNetworks:
        data = self.settings.server_data
        space = AddressSpace(self.engine, self.facts.subnet, self.route_files, self.locks, data)
        return ApplicationNetworks(
            engine=self.engine,
            networks=self.networks,
            names=self.installation.names,
            space=space,
            labels={INSTANCE: self.installation.instance, IDENTITY: self.identity},
        )

    @cached_property
    def firewall(self) -> ApplicationFirewall:
        return ApplicationFirewall(
            names=self.installation.names,
            allowed=self.settings.application_networks,
            private_too=self.settings.close_private_networks,
        )

    @cached_property
    def host(self) -> HostAccess:
        scheme, _, path = self.settings.docker_host.partition("://")
        sockets = (Path(path),) if scheme == "unix" else ()
        guarded = (self.settings.data, self.facts.root, *sockets)
        return HostAccess(
            self.engine, self.installation.instance, self.settings.bind_roots, guarded
        )

    @cached_property
    def prerequisites(self) -> Prerequisites:
        return Prerequisites(
            self.installation.names,
            self.networks,
            self.application_networks,
            self.firewall,
            ContainerMaker(self.engine, self.host),
        )

    @cached_property
    def replicas(self) -> Replicas:
        return Replicas(self.installation, self.containers, self.prerequisites, self.live)

    @cached_property
    def release_command(self) -> ReleaseCommand:
        return ReleaseCommand(
            self.installation, self.engine, self.replicas, self.prerequisites, self.facts.platforms
        )

    @cached_property
    def probe(self) -> Probe:
        return Probe()

    @cached_property
    def gate(self) -> HealthGate:
        exits = ExitWatch(self.engine, self.facts.platforms)
        return HealthGate(exits, self.probe, self.installation.names)

    @cached_property
    def images(self) -> Images:
        return Images(self.engine)

    @cached_property
    def release_images(self) -> ReleaseImages:
        return ReleaseImages(self.installation.names, self.images, self.locks)

    @cached_property
    def retention(self) -> Retention:
        keep = timedelta(days=self.settings.keep_builders_days)
        return Retention(self.installation.names, self.images, self.locks, keep)

    @cached_property
    def puller(self) -> Puller:
        return Puller(self.images, self.facts.platforms, self.disk)

    @cached_property
    def source_images(self) -> SourceImages:
        return SourceImages(self.images, self.facts.platforms, self.puller, self.release_images)

    @cached_property
    def route_files(self) -> RouteFiles:
        return RouteFiles(self.settings.server_data / "routes")

    @cached_property
    def routing(self) -> Routing:
        settings = self.settings
        return Routing(
            certificates=bool(settings.acme_email),
            secure_port=settings.web_secure_port,
            trusted_proxies=tuple(map(str, settings.trusted_proxies)),
        )

    @cached_property
    def live(self) -> LiveState:
        fence = Fence(self.settings.server_data / "fences")
        return LiveState(self.route_files, fence, self.routing)

    @cached_property
    def traefik(self) -> Traefik:
        settings = self.settings
        return Traefik(api_port=settings.proxy_api_port, probe_port=settings.proxy_probe_port)

    @cached_property
    def proxy(self) -> ProxyGuard:
        plan = proxy_plan(self.settings, self.installation.instance, self.route_files.routed)
        proxy = Proxy(plan, self.engine, self.images, self.traefik)
        return ProxyGuard(proxy, self.route_files, self.locks)

    @cached_property
    def view(self) -> ProxyView:
        return ProxyView(self.traefik, self.containers)

    @cached_property
    def drain(self) -> Drain:
        return Drain(self.route_files, self.traefik, self.installation.names)

    @cached_property
    def switch(self) -> Switch:
        verification = Verification(self.view, self.containers, self.probe, self.installation.names)
        return Switch(self.live, self.proxy, verification, self.drain, self.containers)

    @cached_property
    def targets(self) -> Targets:
        return Targets(self.settings.private_targets)

    @cached_property
    def build_directory(self) -> BuildDirectory:
        return BuildDirectory(self.settings.server_data / "builds")

    @cached_property
    def build_network(self) -> BuildNetwork:
        name = self.installation.names.build_network
        may_be_open = self.settings.allow_open_build_network
        return BuildNetwork(name, self.networks, self.build_firewall, may_be_open=may_be_open)

    @cached_property
    def build_firewall(self) -> Firewall:
        interface = interface_of(self.installation.names.build_network)
        return Firewall(interface=interface, allowed=self.settings.build_networks)

    @cached_property
    def build_containers(self) -> BuildContainers:
        return BuildContainers(
            self.installation,
            self.engine,
            self.networks,
            self.build_network,
            self.build_directory,
        )

    @cached_property
    def source_builds(self) -> SourceBuilds:
        checkouts = Checkouts(self.targets, self.build_directory, self.disk)
        images = ImagesByContent(
            self.installation.names,
            self.release_images,
            checkouts,
            self.build_directory,
            self.build_network,
        )
        return SourceBuilds(checkouts, images, self.build_methods, self.locks)

    @cached_property
    def build_methods(self) -> BuildMethods:
        settings, platforms = self.settings, self.facts.platforms
        images = BuildToolImages(
            self.installation.names, self.images, self.locks, platforms, self.puller
        )
        server = ServerBuildSettings(
            buildkit_image=settings.buildkit_image,
            lifecycle_image=settings.lifecycle_image,
            trusted_builders=settings.trusted_builders,
            socket=Path(settings.docker_host.removeprefix("unix://")),
            log_bytes=settings.log_bytes,
        )
        return BuildMethods(self.build_containers, images, self.release_images, server, self.disk)


def proxy_plan(settings: Settings, instance: str, routes: Path) -> ProxyPlan:
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
