"""The containers of a deployment: release command, create, health gate, removal, undo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.draining import drained, take_back, unpark
from activities.gate import Gate
from activities.inputs import StepInput, StepResult, UndoResult
from activities.platform import foreign_program
from activities.proxy_view import answers
from activities.release_image import present_image
from activities.replicas import (
    Replicas,
    foreign_container,
    jobs_of,
    older_replicas,
    replicas_of,
)
from activities.step import OpenStep, Steps
from activities.surroundings import with_real_binds
from aweigh.containers.health import chosen_check
from aweigh.containers.spec import DEPLOYMENT, labels_of, release_command_spec
from aweigh.core.errors import StepFailed
from aweigh.core.tasks import together
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import Reason, StepName

if TYPE_CHECKING:
    from aweigh.containers.engine import Container
    from aweigh.deployments.release import Release
    from aweigh.servers.server import Server


#: Within the time of the step.
_RELEASE_SECONDS: Final = 55 * 60
#: What is undone is given less time than what was live: its own time is shorter than an hour.
_DRAIN_SECONDS: Final = 300.0


class GenerationActivities:
    def __init__(self, server: Server, steps: Steps) -> None:
        self._server = server
        self._steps = steps

    @asynccontextmanager
    async def _open(
        self, name: StepName, step: StepInput, *, last: bool = False
    ) -> AsyncIterator[OpenStep]:
        """A step that changes what runs: under the application's lock, past the fence."""
        async with (
            self._steps.open(name, step, last=last) as opened,
            self._server.locks.holding(opened.release.application),
        ):
            await self._server.let_through(opened.release)
            yield opened

    @activity.defn(name="release")
    async def release(self, step: StepInput) -> StepResult:
        """Run the release command in the new image, once."""
        async with self._open(StepName.RELEASE, step) as opened:
            await self._run_release_command(opened)
            return StepResult(opened.detail)

    async def _run_release_command(self, opened: OpenStep) -> None:
        engine = self._server.engine
        name = await self._start_release_command(opened)
        found = await self._end_of(name, opened)
        if found is None:
            raise StepFailed(Reason.RELEASE_COMMAND_FAILED, f"{name} was removed by somebody.")
        lines = await engine.last_lines(name, 1000)
        opened.log(lines)
        opened.detail = f"exit code {found.exit_code}"
        if found.exit_code:
            image = opened.release.image.reference
            raise foreign_program(self._server, lines, image=image) or StepFailed(
                Reason.RELEASE_COMMAND_FAILED,
                f"The release command exited with code {found.exit_code}. Its output is in the "
                "deployment's log. Nothing was switched.",
            )

    async def _end_of(self, name: str, opened: OpenStep) -> Container | None:
        """Raises: StepFailed: it runs for longer than it may, whoever watched it."""
        engine = self._server.engine
        begun = await engine.container(name)
        left = _RELEASE_SECONDS - (begun.seconds(datetime.now(UTC)) if begun else 0)
        try:
            async with asyncio.timeout(max(left, 0)):
                return await engine.ended(name)
        except TimeoutError as error:
            opened.log(await engine.last_lines(name, 1000))
            raise StepFailed(
                Reason.TIMED_OUT,
                f"The release command ran for longer than {_RELEASE_SECONDS // 60} min, and was "
                "stopped. Nothing was switched. Have it do less, or do it beside the deployment.",
            ) from error

    async def _start_release_command(self, opened: OpenStep) -> str:
        """The name of its container, which runs or has ended: the one of an earlier attempt too.

        Raises:
            StepFailed: it cannot be started, or the name belongs to somebody else.
        """
        release, server = opened.release, self._server
        image = await present_image(server, opened)
        spec = release_command_spec(
            instance=server.instance, names=server.names, release=release, image=image
        )
        found = await server.engine.container(spec.name)
        if found and found.labels.get(DEPLOYMENT) != release.deployment:
            raise foreign_container(spec.name)
        if found and found.status != "created":
            return spec.name
        if found:  # a worker died between create and start
            await server.engine.remove(spec.name)
        replicas = Replicas(server, release, image)
        await replicas.make_way_for_command()
        async with replicas.surroundings() as around:
            await around.volumes.create(server, with_real_binds(server, spec))
            try:
                await server.engine.start(spec.name)
            except StepFailed as error:
                raise StepFailed(
                    Reason.RELEASE_COMMAND_FAILED,
                    f"The release command could not be started: {error.message}. "
                    "Nothing was switched.",
                ) from error
        return spec.name

    @activity.defn(name="create")
    async def create(self, step: StepInput) -> StepResult:
        """Have the new generation's containers run beside, or instead of, the live ones."""
        async with self._open(StepName.CREATE, step) as opened:
            image = await present_image(self._server, opened)
            replicas = Replicas(self._server, opened.release, image)
            await replicas.ensure()
            names = [one.name for one in await replicas.containers()]
            opened.detail = ", ".join(names)
            opened.log(f"running: {opened.detail}")
            return StepResult(opened.detail)

    @activity.defn(name="health")
    async def health(self, step: StepInput) -> StepResult:
        """Wait until every container of the new generation is healthy."""
        async with self._steps.open(StepName.HEALTH, step) as opened:
            release, server = opened.release, self._server
            async with server.locks.holding(release.application):
                await server.let_through(release)
                image = await present_image(server, opened)
                replicas = Replicas(server, release, image)
                containers = await replicas.made()
            check = chosen_check(release.settings, image, replicas.port)
            gate = Gate(server, opened, check, replicas.port, image)
            opened.detail = await gate.pass_all(containers)
            opened.log(f"healthy: {opened.detail}")
            return StepResult(opened.detail)

    @activity.defn(name="remove")
    async def remove(self, step: StepInput) -> StepResult:
        """Stop and remove every generation before the live one."""
        async with self._open(StepName.REMOVE, step, last=True) as opened:
            release = opened.release
            older = await older_replicas(self._server, release)
            await together(self._server.engine.stop(one.name) for one in older)
            await together(self._server.engine.remove(one.name) for one in older)
            for job in await jobs_of(self._server, release.application, release.sequence):
                await self._server.engine.remove(job.name)
            opened.detail = ", ".join(one.name for one in older) or "nothing older"
            opened.log(f"removed: {opened.detail}")
            return StepResult(opened.detail)

    @activity.defn(name="undo")
    async def undo(self, step: StepInput) -> UndoResult:
        """Leave the application as it was; or find that the deployment is live after all."""
        async with self._steps.open(StepName.UNDO, step, last=True) as opened:
            async with self._server.locks.holding(opened.release.application):
                live = await self._is_live(opened.release)
                if live:
                    opened.detail = "it is live, and stays"
                else:
                    await self._take_away(opened)
            opened.log(f"undone: {opened.detail}")
            return UndoResult(opened.detail, live=live)

    async def _is_live(self, release: Release) -> bool:
        """Whether its switch succeeded, though the worker may not have lived to tell."""
        server = self._server
        commit = server.commits.live(release.slug)
        if commit is None:
            return False
        if not commit.names(release):
            # What a newer one has switched from, and goes back to unless it is seen to answer.
            verified = server.fence.mark(release.application).verified
            return verified == release.sequence < commit.generation.sequence
        if not server.is_beyond_return(commit):
            if not await answers(server, release, commit):
                return False
            await in_thread(lambda: server.fence.verify(release.application, release.sequence))
        return True

    async def _take_away(self, opened: OpenStep) -> None:
        release, server = opened.release, self._server
        live = server.commits.live(release.slug)
        if live and live.names(release):
            await take_back(server, live)
        mine = await replicas_of(server, release.application, release.sequence)
        await drained(server, mine, min(release.settings.drain, _DRAIN_SECONDS))
        jobs = await jobs_of(server, release.application, release.sequence)
        await together(server.engine.remove(one.name) for one in mine + jobs)
        await server.workshop.discard(labels_of(server.instance, release))
        live = server.commits.live(release.slug)
        # A newer deployment may have made what is live stop for it, and starts it again itself.
        if live and server.fence.mark(release.application).highest <= release.sequence:
            kept = await replicas_of(server, release.application, live.generation.sequence)
            await unpark(server, kept)
        opened.detail = ", ".join(one.name for one in mine) or "there was nothing"
