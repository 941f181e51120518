"""The parts of a server worker as it wires them, on the fakes that ship in the package."""

import ipaddress
from functools import cached_property
from pathlib import Path
from typing import Any

from aweigh.containers.subnet import Subnet
from aweigh.core.platform import Platform
from aweigh.core.settings import Settings
from aweigh.deployments.deployment import StepName
from aweigh.deployments.release import Image, Release
from aweigh.engine.container import Container
from aweigh.images.facts import ImageFacts
from aweigh.images.server_platforms import ServerPlatforms
from aweigh.routing.proxy import proxy_spec
from aweigh.routing.route_files import RouteFile
from aweigh.servers.api_client import Api
from aweigh.servers.journal import Journal
from aweigh.servers.running_step import Attempt, RunningStep
from aweigh.testing.engine import FakeEngine
from aweigh.testing.images import FakeImages
from aweigh.testing.networks import (
    FakeApplicationFirewall,
    FakeApplicationNetworks,
    FakeBuildFirewall,
    FakeNetworks,
)
from aweigh.testing.probe import FakeProbe
from aweigh.testing.traefik import FakeTraefik
from tests.support.installation import IMAGE, settings_of
from tests.support.worker_api import WorkerApi
from worker.engine_facts import EngineFacts
from worker.server_parts import ServerParts, proxy_plan

APPLICATION = "app_06h2100000000000000000000g"
OWN = Platform("linux", "amd64")


class FakeParts(ServerParts):
    """Parts that reach no engine, proxy, registry or API; one application can be deployed here."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        fields = {"disk_reserve_percent": 0, "disk_reserve_bytes": 0, **settings}
        facts = EngineFacts(
            root=directory,
            platforms=ServerPlatforms(server="local", own=OWN),
            subnet=Subnet(ipaddress.IPv4Network("10.201.0.0/16")),
        )
        given = Settings(data=directory, **fields)
        super().__init__(given, "0123456789abcdef", "identity-1", facts)
        self.prepare()
        self.known = WorkerApi()

    @cached_property
    def api(self) -> Api:
        return self.known.client()

    @cached_property
    def engine(self) -> FakeEngine:
        return FakeEngine()

    @cached_property
    def images(self) -> FakeImages:
        return FakeImages()

    @cached_property
    def probe(self) -> FakeProbe:
        return FakeProbe()

    @cached_property
    def traefik(self) -> FakeTraefik:
        return FakeTraefik(self.route_files.routed)

    @cached_property
    def networks(self) -> FakeNetworks:
        return FakeNetworks(self.engine, self.installation.instance)

    @cached_property
    def application_networks(self) -> FakeApplicationNetworks:
        real = super().application_networks
        return FakeApplicationNetworks(
            engine=self.engine, networks=self.networks, names=real.names, space=real.space
        )

    @cached_property
    def firewall(self) -> FakeApplicationFirewall:
        return FakeApplicationFirewall(names=self.installation.names)

    @cached_property
    def build_firewall(self) -> FakeBuildFirewall:
        return FakeBuildFirewall(interface="awb0")

    def release(self, sequence: int, **settings: Any) -> Release:
        """A release of the application, which the API gives out from now on."""
        release = Release(
            deployment=f"dep_{sequence}", application=APPLICATION, slug="shop", server="local",
            sequence=sequence, settings=settings_of(**{"port": 8000, **settings}),
            image=Image(reference=f"{IMAGE}:v{sequence}", id=f"sha256:{sequence}"),
        )  # fmt: skip
        self.known.releases[release.deployment] = release
        return release

    def routed(self, sequence: int, **settings: Any) -> Release:
        """A release with a domain."""
        return self.release(
            sequence, domains=[{"host": "shop.example.com", "tls": False}], **settings
        )

    def step(self, release: Release, name: StepName = StepName.SWITCH) -> RunningStep:
        attempt = Attempt(
            run_id="run-1", number=1, is_cancelled=lambda: False, worker_stops=lambda: False
        )
        journal = Journal(self.settings.server_data / "journal", self.api)
        return RunningStep(
            release=release, name=name, attempt=attempt, journal=journal, api=self.api,
            secrets=release.secrets,
        )  # fmt: skip

    async def installed_proxy(self) -> None:
        """Have the proxy run."""
        plan = proxy_plan(self.settings, self.installation.instance, self.route_files.routed)
        await self.engine.create(proxy_spec(plan, ImageFacts(id="sha256:traefik")))
        await self.engine.start(plan.name)

    async def created(self, release: Release) -> list[Container]:
        """The release's replicas, made by the real part; it has begun here."""
        await self.live.check_fence(release)
        await self.replicas.ensure(release, image_of(release))
        return await self.containers.replicas_of(release)

    async def made_live(self, release: Release, *, verified: bool = True) -> RouteFile:
        """The release's route file, once it is live."""
        replicas = await self.created(release)
        image = self.images.add_facts(image_of(release))
        generation = self.replicas.generation(release, image, replicas)
        file = await self.live.make_live(generation, release.settings)
        if verified:
            await self.live.verify(file)
        return file

    async def statuses(self) -> dict[str, str]:
        """The status of every container, by name."""
        return {one.name: one.status for one in await self.engine.containers({})}

    @property
    def live_sequence(self) -> int | None:
        """The sequence that the route file of the application names."""
        live = self.route_files.live("shop")
        return live.generation.sequence if live else None


def image_of(release: Release) -> ImageFacts:
    """The image that a release of the application is pinned to."""
    return ImageFacts(id=release.image.id or "", platform=OWN)


def log_of(step: RunningStep) -> str:
    """What the step wrote to the deployment's log."""
    return "\n".join(step.lines_behind(0))
