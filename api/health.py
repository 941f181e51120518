"""Whether this process runs, and whether it can do its work."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from api.dependencies import Doors
from api.problems import problem
from aweigh import __version__
from aweigh.core.errors import Unavailable

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """This process runs."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz")
async def readyz(office: Doors) -> Response:
    """The database answers. Whether Temporal does is told; calls are accepted without it."""
    try:
        return JSONResponse({"status": "ok", "temporal": await office.readiness.ask()})
    except Unavailable as error:
        return problem(503, "unavailable", str(error))
