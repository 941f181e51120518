"""Liveness and readiness of this process."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from api.dependencies import Context
from api.problems import problem
from aweigh import __version__
from aweigh.core.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer that this process runs."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz")
async def readyz(context: Context) -> Response:
    """Answer whether the database answers, with the state of Temporal, which may be away."""
    try:
        return JSONResponse({"status": "ok", "temporal": await context.readiness.check()})
    except Unavailable as error:
        return problem(503, "unavailable", str(error))
