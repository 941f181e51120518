"""Answers that wait for the end of a deployment."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from api.dependencies import AppContext
from api.problems import problem
from aweigh.deployment_answer import DeploymentAnswer, deployment_answer
from aweigh.deployments.deployment import DeploymentState
from aweigh.store import deployments
from aweigh.store.deployments import Deployment

Wait = Annotated[int, Query(ge=0, le=900, description="Seconds to wait for the deployment's end")]


async def answer_for(
    context: AppContext,
    deployment_id: str,
    wait: int,
    *,
    wanted: DeploymentState = DeploymentState.SUCCEEDED,
) -> Response:
    """Answer 202 while it is open; within the wait, 200 if it ended as wanted, else 424."""
    return await _answer(context, await _shown(context, deployment_id), wait, wanted)


async def answer_to(context: AppContext, admitted: Deployment, wait: int) -> Response:
    """Answer for a deployment that was just admitted, without reading it again."""
    shown = deployment_answer(admitted, context.settings)
    return await _answer(context, shown, wait, DeploymentState.SUCCEEDED)


async def _answer(
    context: AppContext, shown: DeploymentAnswer, wait: int, wanted: DeploymentState
) -> Response:
    if wait and not shown.state.ended and not context.followers.is_full:
        shown = await _shown_at_the_end(context, shown.id, wait)
    ended = wait > 0 and shown.state.ended
    return _unwanted(shown) if ended and shown.state is not wanted else _wanted(shown, ended=ended)


async def _shown_at_the_end(context: AppContext, deployment_id: str, wait: int) -> DeploymentAnswer:
    with context.followers.follow(deployment_id) as followed:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while not (followed.has_ended or context.followers.is_closed):
                    await followed.changed.wait()
        # The end wakes all callers that wait for one deployment: one of them reads for all.
        return await context.followers.share(
            ("answer", deployment_id, followed.generation), lambda: _shown(context, deployment_id)
        )


async def _shown(context: AppContext, deployment_id: str) -> DeploymentAnswer:
    async with context.store.read() as tx:
        return deployment_answer(await deployments.find(tx, deployment_id), context.settings)


def _wanted(shown: DeploymentAnswer, *, ended: bool) -> Response:
    status = HTTPStatus.OK if ended else HTTPStatus.ACCEPTED
    headers = {"Location": shown.links.self}
    return Response(shown.model_dump_json(), status, headers, "application/json")


def _unwanted(shown: DeploymentAnswer) -> Response:
    said = (
        f"{shown.reason}: {shown.message}"
        if shown.reason
        else "The deployment has succeeded meanwhile."
    )
    return problem(
        HTTPStatus.FAILED_DEPENDENCY,
        f"deployment_{shown.state}",
        said,
        deployment=shown.model_dump(mode="json"),
    )
