"""Whether this process runs, and whether it can do its work."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy import select

from api.dependencies import Doors
from api.problems import problem
from aweigh import __version__
from aweigh.domain.errors import Unavailable
from aweigh.store.tables import MetaRow

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """This process runs."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz")
async def readyz(office: Doors) -> Response:
    """The database answers. Whether Temporal does is told; calls are accepted without it."""
    try:
        async with office.store.read() as tx:
            await tx.session.scalar(select(MetaRow.value).limit(1))
    except Unavailable as error:
        return problem(503, "unavailable", str(error))
    return JSONResponse({"status": "ok", "temporal": await office.relay.reaches_temporal()})
