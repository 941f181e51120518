"""Holding an answer until a deployment ends."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from api.dependencies import Office
from api.problems import problem
from api.schemas import DeploymentAnswer, deployment_answer
from aweigh.deployments.deployment import DeploymentState
from aweigh.store import deployments
from aweigh.store.deployments import Deployment

Wait = Annotated[int, Query(ge=0, le=900, description="Seconds to wait for the deployment's end")]


async def answer_for(
    office: Office,
    deployment_id: str,
    wait: int,
    *,
    wanted: DeploymentState = DeploymentState.SUCCEEDED,
) -> Response:
    """202 while it runs; within the wait, 200 when it ended as wanted, else 424."""
    return await _answer(office, await _shown(office, deployment_id), wait, wanted)


async def answer_to(office: Office, admitted: Deployment, wait: int) -> Response:
    """The same for one that was just admitted: it is not read again."""
    shown = deployment_answer(admitted, office.settings)
    return await _answer(office, shown, wait, DeploymentState.SUCCEEDED)


async def _answer(
    office: Office, shown: DeploymentAnswer, wait: int, wanted: DeploymentState
) -> Response:
    if wait and not shown.state.ended and not office.watch.is_full:
        shown = await _shown_at_the_end(office, shown.id, wait)
    ended = wait > 0 and shown.state.ended
    return _unwanted(shown) if ended and shown.state is not wanted else _wanted(shown, ended=ended)


async def _shown_at_the_end(office: Office, deployment_id: str, wait: int) -> DeploymentAnswer:
    with office.watch.follow(deployment_id) as followed:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while not (followed.progress and DeploymentState(followed.progress.state).ended):
                    await followed.changed.wait()
        # Those who wait for one deployment are all woken by its end: one reads for all.
        return await office.watch.share(
            ("answer", deployment_id, followed.generation), lambda: _shown(office, deployment_id)
        )


async def _shown(office: Office, deployment_id: str) -> DeploymentAnswer:
    async with office.store.read() as tx:
        return deployment_answer(await deployments.find(tx, deployment_id), office.settings)


def _wanted(shown: DeploymentAnswer, *, ended: bool) -> Response:
    status = HTTPStatus.OK if ended else HTTPStatus.ACCEPTED
    headers = {"Location": shown.links.self}
    return Response(shown.model_dump_json(), status, headers, "application/json")


def _unwanted(shown: DeploymentAnswer) -> Response:
    said = f"{shown.reason}: {shown.message}" if shown.reason else "It has succeeded meanwhile."
    return problem(
        HTTPStatus.FAILED_DEPENDENCY,
        f"deployment_{shown.state}",
        said,
        deployment=shown.model_dump(mode="json"),
    )
