"""The live release of each application on this server, and which releases may replace it."""

from aweigh.contract import Removal
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
        self._files = route_files
        self._fence = fence
        self.routing = routing

    def route_file(self, slug: str) -> RouteFile | None:
        """Return the route file of an application's live generation."""
        return self._files.live(slug)

    async def route_files(self) -> list[RouteFile]:
        """Return the route files of all applications' live generations."""
        return await in_thread(self._files.all)

    def is_routed(self, file: RouteFile) -> bool:
        """Whether the proxy routes requests to the generation."""
        return file.path.parent == self._files.routed

    async def check_fence(self, release: Release) -> None:
        """Reject a release that is older than one that is live or has begun here.

        Raises:
            StepFailed: `superseded`.
        """

        def checked() -> None:
            live = self._files.live(release.slug)
            self._fence.enter(
                release.application,
                release.sequence,
                release.deployment,
                live.generation if live else None,
            )

        await in_thread(checked)

    def highest_begun(self, release: Release) -> int:
        """Return the application's highest sequence that is live or has begun here."""
        live = self._files.live(release.slug)
        highest = self._fence.state(release.application).highest
        return max(highest, live.generation.sequence if live else 0)

    def has_begun_after(self, application_id: str, sequence: int) -> bool:
        """Whether a newer deployment has begun here."""
        return self._fence.state(application_id).highest > sequence

    async def make_live(self, generation: Generation, settings: ApplicationSettings) -> RouteFile:
        """Write the route file that makes a generation live.

        Raises:
            ValueError: its settings cannot be part of a route file.
        """
        text, routed = render(generation, settings, self.routing), bool(settings.domains)
        return await in_thread(lambda: self._files.write(generation, text, routed=routed))

    async def route_to(
        self, file: RouteFile, settings: ApplicationSettings, servers: tuple[str, ...]
    ) -> bool:
        """Route a live generation's requests to some of its addresses, or to all if none is given.

        Return whether that is a change.
        """
        text = render(file.generation, settings, self.routing, servers or None)

        def rewritten() -> bool:
            if text == file.path.read_text():
                return False
            self._files.rewrite(file, text)
            return True

        return await in_thread(rewritten)

    def can_go_back(self, file: RouteFile) -> bool:
        """Whether the generation that the file replaced can be made live again."""
        return self._files.has_kept(file)

    def discard_unfinished(self, slug: str) -> None:
        """Remove a route file whose writer died before it was live."""
        self._files.discard_unfinished(slug)

    async def close(self, removal: Removal) -> RouteFile | None:
        """Remove an application's route and block its deployments; return what was live."""

        def closed() -> RouteFile | None:
            live = self._files.live(removal.slug)
            self._files.remove(removal.slug)
            self._fence.close(removal.application, removal.sequence)
            return live

        return await in_thread(closed)

    async def verify(self, file: RouteFile) -> None:
        """Record that the generation has answered: from now on it is never taken back."""

        def verified() -> None:
            generation = file.generation
            self._fence.verify(generation.application, generation.sequence)
            self._files.forget_older(generation)

        await in_thread(verified)

    def is_verified(self, release: Release) -> bool:
        """Whether the release is live and past its point of no return."""
        live = self._files.live(release.slug)
        return live is not None and live.is_of(release) and self.is_beyond_return(live)

    def is_beyond_return(self, file: RouteFile) -> bool:
        """Whether the generation in the file is past its point of no return."""
        generation = file.generation
        return self._fence.state(generation.application).verified == generation.sequence

    def is_returned_to(self, release: Release, newer: RouteFile) -> bool:
        """Whether the release is live again if the newer one does not answer."""
        verified = self._fence.state(release.application).verified
        return verified == release.sequence < newer.generation.sequence
