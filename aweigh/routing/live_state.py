"""The live release of each application on this server, and which releases may replace it."""

from aweigh.core.threads import in_thread
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.release import Release
from aweigh.routing.fence import Fence
from aweigh.routing.route import Generation, Routing, render
from aweigh.routing.route_files import RouteFile, RouteFiles


class LiveState:
    """The route files, which define what is live, and the fence, which blocks older releases.

    Callers hold the application's lock.
    """

    def __init__(self, route_files: RouteFiles, fence: Fence, routing: Routing) -> None:
        self.files = route_files
        self.fence = fence
        self.routing = routing

    async def check_fence(self, release: Release) -> None:
        """Reject a release that is older than one that is live or has begun here.

        Raises:
            StepFailed: `superseded`.
        """

        def checked() -> None:
            live = self.files.live(release.slug)
            self.fence.enter(
                release.application,
                release.sequence,
                release.deployment,
                live.generation if live else None,
            )

        await in_thread(checked)

    def highest_begun(self, release: Release) -> int:
        """Return the application's highest sequence that is live or has begun here."""
        live = self.files.live(release.slug)
        highest = self.fence.state(release.application).highest
        return max(highest, live.generation.sequence if live else 0)

    async def make_live(self, generation: Generation, settings: ApplicationSettings) -> RouteFile:
        """Write the route file that makes a generation live.

        Raises:
            ValueError: its settings cannot be part of a route file.
        """
        text, routed = render(generation, settings, self.routing), bool(settings.domains)
        return await in_thread(lambda: self.files.write(generation, text, routed=routed))

    async def verify(self, file: RouteFile) -> None:
        """Record that the generation has answered: from now on it is never taken back."""

        def verified() -> None:
            generation = file.generation
            self.fence.verify(generation.application, generation.sequence)
            self.files.forget_older(generation)

        await in_thread(verified)

    def is_verified(self, release: Release) -> bool:
        """Whether the release is live and past its point of no return."""
        live = self.files.live(release.slug)
        return live is not None and live.is_of(release) and self.is_beyond_return(live)

    def is_beyond_return(self, file: RouteFile) -> bool:
        """Whether the generation in the file is past its point of no return."""
        generation = file.generation
        return self.fence.state(generation.application).verified == generation.sequence
