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


async def answer_for(
    office: Office,
    deployment_id: str,
    wait: int,
    *,
    wanted: DeploymentState = DeploymentState.SUCCEEDED,
) -> Response:
    """202 while it runs; within the wait, 200 when it ended as wanted, else 424."""
    began = time.monotonic()
    while (age := time.monotonic() - began) < wait:
        async with office.store.read() as tx:
            row = await deployments.find_row(tx, deployment_id)
        if DeploymentState(row.state).ended:
            break
        await asyncio.sleep(min(max(age * _PAUSE_BY_AGE, _SHORTEST_PAUSE), _LONGEST_PAUSE))
    async with office.store.read() as tx:
        found = await deployments.find(tx, deployment_id)
    shown = deployment_answer(found, office.settings)
    ended = wait > 0 and shown.state.ended
    return _unwanted(shown) if ended and shown.state is not wanted else _wanted(shown, ended=ended)


def _wanted(shown: DeploymentAnswer, *, ended: bool) -> Response:
    status = HTTPStatus.OK if ended else HTTPStatus.ACCEPTED
    return JSONResponse(shown.model_dump(mode="json"), status, {"Location": shown.links.self})


def _unwanted(shown: DeploymentAnswer) -> Response:
    said = f"{shown.reason}: {shown.message}" if shown.reason else "It has succeeded meanwhile."
    return problem(
        HTTPStatus.FAILED_DEPENDENCY,
        f"deployment_{shown.state}",
        said,
        deployment=shown.model_dump(mode="json"),
    )
