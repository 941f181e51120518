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

#: How often a deployment is looked at: by its age, so that an answer comes hardly later than the
#: end, and many callers may wait for an old one.
_SHORTEST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_PAUSE_BY_AGE: Final = 0.05

Wait = Annotated[int, Query(ge=0, le=900, description="Seconds to wait for the deployment's end")]


async def answer_for(office: Office, deployment_id: str, wait: int) -> Response:
    """202 while it runs, 200 when it succeeded, 424 when it failed within the wait."""
    began = time.monotonic()
    while (age := time.monotonic() - began) < wait:
        async with office.store.read() as tx:
            row = await deployments.find_row(tx, deployment_id)
        if DeploymentState(row.state).ended:
            break
        await asyncio.sleep(min(max(age * _PAUSE_BY_AGE, _SHORTEST_PAUSE), _LONGEST_PAUSE))
    async with office.store.read() as tx:
        found = await deployments.find(tx, deployment_id)
    return _answer(deployment_answer(found, office.settings), waited=wait > 0)


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
