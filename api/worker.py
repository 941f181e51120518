"""What a server worker may read and report.

That is: the deployments in flight or live on its server, and the branches its applications follow.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import SecretStr

from api.dependencies import Doors, ServerName, ServerToken
from api.problems import problem
from aweigh.adapters.github import READ
from aweigh.contract import (
    Fence,
    Followers,
    Head,
    Inventory,
    Lease,
    Lifted,
    Looked,
    RepositoryToken,
    StepReport,
)
from aweigh.domain.deployment import DeploymentState, StepName
from aweigh.domain.errors import Conflict, NotFound, Refused
from aweigh.domain.git import Installation, Token
from aweigh.domain.secret import REVEAL
from aweigh.domain.source import GitSource
from aweigh.store import admission, deployments, lifecycle, logs, looks, servers
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow

router = APIRouter(prefix="/v1/worker", tags=["server workers"], include_in_schema=False)


async def _own(
    tx: Transaction, server: str, deployment_id: str, *, lock: bool = False
) -> DeploymentRow:
    """Raises: NotFound."""
    row = await deployments.find_row(tx, deployment_id, lock=lock)
    if row.server != server:
        raise NotFound(f"there is no deployment {deployment_id!r} on server {server}")
    return row


@router.post("/lease")
async def lease(office: Doors, bearer: ServerToken, asked: Lease) -> dict[str, str]:
    async with office.store.write() as tx:
        await servers.lease(tx, bearer.server or "", asked)
    return {"server": bearer.server or ""}


@router.get("/releases/{deployment}")
async def read_release(office: Doors, server: ServerName, deployment: str) -> Response:
    async with office.store.read() as tx:
        row = await _own(tx, server, deployment)
        application = await tx.session.get_one(ApplicationRow, row.application_id)
        in_flight = not DeploymentState(row.state).ended
        if not (in_flight or application.live == row.id):
            raise NotFound(f"{deployment} is neither in flight nor live")
        release = await deployments.release_of(tx, row)
    return Response(release.model_dump_json(context=REVEAL), media_type="application/json")


@router.post("/releases/{deployment}/repository-token")
async def repository_token(office: Doors, server: ServerName, deployment: str) -> Response:
    """What opens its repository, where an installation of the GitHub App does."""
    async with office.store.read() as tx:
        row = await _own(tx, server, deployment)
        source = (await deployments.release_of(tx, row)).settings.source
    if not (isinstance(source, GitSource) and isinstance(source.credentials, Installation)):
        raise NotFound(f"{deployment} needs no such token")
    try:
        token = await office.github.token(source.credentials, source.repository, READ)
    except Refused as error:
        return problem(422, "refused", str(error))
    return JSONResponse(RepositoryToken(token=token).model_dump())


@router.put("/releases/{deployment}/steps/{name}")
async def report_step(
    office: Doors, server: ServerName, deployment: str, name: StepName, report: StepReport
) -> Response:
    async with office.store.write() as tx:
        await _own(tx, server, deployment, lock=True)
        try:
            await lifecycle.report_step(tx, deployment, name, report)
        except Conflict as error:
            return problem(410, "ended", str(error))
    return JSONResponse({})


@router.put("/releases/{deployment}/log")
async def append_log(
    office: Doors,
    server: ServerName,
    request: Request,
    deployment: str,
    offset: Annotated[int, Query(ge=0)],
) -> Response:
    """Append at exactly the end; 409 answers the length there is."""
    data = await request.body()
    async with office.store.write() as tx:
        await _own(tx, server, deployment, lock=True)
        appended = await logs.append(tx, deployment, offset, data)
    return JSONResponse({"length": appended.length}, 200 if appended.taken else 409)


@router.put("/releases/{deployment}/fence")
async def lift_counter(office: Doors, server: ServerName, deployment: str, fence: Fence) -> Lifted:
    """A server has seen a higher sequence: if that is news, count on from there."""
    async with office.store.write() as tx:
        row = await _own(tx, server, deployment, lock=True)
        made = await admission.lift(tx, row, fence.highest)
    office.relay.wake()
    return Lifted(deployment=made)


@router.get("/inventory")
async def read_inventory(
    office: Doors, server: ServerName, application: str | None = None
) -> Inventory:
    """Of the whole server, or of one application there, which may have been removed."""
    async with office.store.read() as tx:
        return await servers.inventory(tx, server, office.settings.keep_releases, application)


@router.get("/branches")
async def read_followers(office: Doors, server: ServerName) -> Followers:
    async with office.store.read() as tx:
        return Followers(applications=tuple(await looks.followers(tx, server)))


@router.get("/branches/{application}")
async def read_branch(office: Doors, server: ServerName, application: str) -> Response:
    """What a look needs; 404 where there is none to be had now."""
    async with office.store.read() as tx:
        branch = await looks.branch(tx, server, application)
    credentials = branch.source.credentials
    if isinstance(credentials, Installation):
        try:
            token = await office.github.token(credentials, branch.source.repository, READ)
        except Refused as error:
            return problem(422, "refused", str(error))
        opened = {"credentials": Token(token=SecretStr(token))}
        branch = branch.model_copy(update={"source": branch.source.model_copy(update=opened)})
    return Response(branch.model_dump_json(context=REVEAL), media_type="application/json")


@router.put("/branches/{application}/head")
async def report_head(office: Doors, server: ServerName, application: str, head: Head) -> Looked:
    async with office.store.write() as tx:
        taken = await looks.take(tx, server, application, head)
    office.relay.wake()
    return Looked(deployment=taken.deployment, why_ignored=taken.why_ignored)
