"""Holding an answer until a deployment ends."""

import asyncio
import time
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Query
from fastapi.responses import JSONResponse, Response

from api.dependencies import Office
from api.problems import problem
from api.schemas import DeploymentAnswer, deployment_answer
from aweigh.domain.deployment import DeploymentState
from aweigh.store import deployments

#: A deployment is looked at often while it is young; many callers may wait for an old one.
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5

Wait = Annotated[int, Query(ge=0, le=900, description="Seconds to wait for the deployment's end")]


async def answer_for(office: Office, deployment_id: str, wait: int) -> Response:
    """202 while it runs, 200 when it succeeded, 424 when it failed within the wait."""
    deadline, pause = time.monotonic() + wait, _FIRST_PAUSE
    while True:
        async with office.store.read() as tx:
            found = await deployments.find(tx, deployment_id)
        shown = deployment_answer(found, office.settings)
        if shown.state.ended or time.monotonic() >= deadline:
            return _answer(shown, waited=wait > 0)
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_PAUSE)


def _answer(shown: DeploymentAnswer, *, waited: bool) -> Response:
    body = shown.model_dump(mode="json")
    if waited and shown.state is DeploymentState.FAILED:
        return problem(
            HTTPStatus.FAILED_DEPENDENCY, "deployment_failed",
            f"{shown.reason}: {shown.message}", deployment=body,
        )  # fmt: skip
    succeeded = waited and shown.state is DeploymentState.SUCCEEDED
    status = HTTPStatus.OK if succeeded else HTTPStatus.ACCEPTED
    return JSONResponse(body, status, {"Location": shown.links.self})
