"""What a server worker may read and report: no more than its server needs now.

That is: the deployments in flight or live on its server, what it kept of ended ones while the API
was away, the removals that go on, and the branches its applications follow. Nothing of an
application that was removed.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import SecretStr

from api.dependencies import Doors, Office, ServerName, ServerToken
from api.problems import problem
from aweigh.builds.source.repository import Installation, Token
from aweigh.contract import (
    Fence,
    Findings,
    Followers,
    Head,
    Inventory,
    Lease,
    Lifted,
    Looked,
    Removal,
    RepositoryToken,
    StepReport,
)
from aweigh.core.errors import Conflict, NotFound, Refused, UnknownRun
from aweigh.deployments.deployment import DeploymentState, StepName
from aweigh.deployments.source import GitSource
from aweigh.deployments.workflow_ids import deployment_workflow, removal_workflow
from aweigh.github.app import READ
from aweigh.secrets.value import REVEAL
from aweigh.store import admission, applications, deployments, lifecycle, logs, looks, servers
from aweigh.store.database import Transaction
from aweigh.store.tables import ApplicationRow, DeploymentRow

router = APIRouter(prefix="/v1/worker", tags=["server workers"], include_in_schema=False)


async def _own(
    tx: Transaction, server: str, deployment_id: str, *, lock: bool = False
) -> DeploymentRow:
    """Raises: NotFound: it is another server's, or its application was removed."""
    row = await deployments.find_row(tx, deployment_id, lock=lock)
    application = await tx.session.get_one(ApplicationRow, row.application_id)
    if row.server != server or application.removed_at:
        raise NotFound(f"there is no deployment {deployment_id!r} on server {server}")
    return row


def _in_flight(row: DeploymentRow) -> bool:
    return not DeploymentState(row.state).ended


@router.post("/lease")
async def lease(office: Doors, bearer: ServerToken, asked: Lease) -> dict[str, str]:
    async with office.store.write() as tx:
        await servers.lease(tx, bearer.server or "", asked)
    return {"server": bearer.server or ""}


@router.get("/releases/{deployment}")
async def read_release(
    office: Doors, server: ServerName, deployment: str, run: str | None = None
) -> Response:
    """With its secrets, while it is in flight or live; to a step only if its run is the known one.

    A run that no record has named yet reports its step first.
    """
    async with office.store.read() as tx:
        row = await _own(tx, server, deployment)
        application = await tx.session.get_one(ApplicationRow, row.application_id)
        if not (_in_flight(row) or application.live == row.id):
            raise NotFound(f"{deployment} is neither in flight nor live")
        if run is not None and run != row.run_id:
            raise NotFound(f"{deployment} has no run {run}")
        release = await deployments.release_of(tx, row)
    return Response(release.model_dump_json(context=REVEAL), media_type="application/json")


@router.post("/releases/{deployment}/repository-token")
async def repository_token(office: Doors, server: ServerName, deployment: str) -> Response:
    """What opens its repository, where an installation of the GitHub App does, while in flight."""
    async with office.store.read() as tx:
        row = await _own(tx, server, deployment)
        if not _in_flight(row):
            raise NotFound(f"{deployment} is not in flight; deploy again")
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
    """Taken of a run that is known; another one must be of the workflow that the lane started."""
    try:
        try:
            await _take_report(office, server, deployment, name, report, known=False)
        except UnknownRun as error:
            await _refuse_stranger(office, deployment, report.run_id, error)
            await _take_report(office, server, deployment, name, report, known=True)
    except (Conflict, UnknownRun) as error:
        return problem(410, "ended", str(error))
    return JSONResponse({})


async def _take_report(
    office: Office, server: str, deployment: str, name: str, report: StepReport, *, known: bool
) -> None:
    async with office.store.write() as tx:
        await _own(tx, server, deployment, lock=True)
        await lifecycle.report_step(tx, deployment, name, report, known=known)
    office.watch.touch(deployment)


async def _refuse_stranger(
    office: Office, deployment: str, run_id: str, unknown: UnknownRun
) -> None:
    """Raises: UnknownRun, Unavailable."""
    async with office.store.read() as tx:
        row = await deployments.find_row(tx, deployment)
        slug = (await tx.session.get_one(ApplicationRow, row.application_id)).slug
    expected = deployment_workflow(slug, row.sequence, row.id)
    if not await office.executions.is_run_of(expected, run_id):
        raise unknown


@router.put("/releases/{deployment}/log")
async def append_log(
    office: Doors,
    server: ServerName,
    request: Request,
    deployment: str,
    offset: Annotated[int, Query(ge=0)],
) -> Response:
    """Append at exactly the end; 409 answers the length there is, 410 that nothing is awaited."""
    data = await request.body()
    async with office.store.write() as tx:
        row = await _own(tx, server, deployment, lock=True)
        if not await deployments.still_tells(tx, row):
            return problem(410, "ended", f"{deployment} ended long ago")
        appended = await logs.append(tx, deployment, offset, data)
    office.watch.touch(deployment)
    return JSONResponse({"length": appended.length}, 200 if appended.taken else 409)


@router.put("/releases/{deployment}/fence")
async def lift_counter(office: Doors, server: ServerName, deployment: str, fence: Fence) -> Lifted:
    """A server has seen a higher sequence: if that is news, count on from there."""
    async with office.store.write() as tx:
        row = await _own(tx, server, deployment, lock=True)
        if not _in_flight(row):
            raise NotFound(f"{deployment} is not in flight")
        made = await admission.lift(tx, row, fence.highest)
    office.relay.wake()
    return Lifted(deployment=made.id if made else None)


@router.get("/removals/{application}")
async def read_removal(office: Doors, server: ServerName, application: str, run: str) -> Removal:
    """What is to be removed, for the run of the workflow that the lane started for it."""
    async with office.store.read() as tx:
        removal = await applications.asked_removal(tx, server, application)
    expected = removal_workflow(removal.slug, removal.sequence)
    if not await office.executions.is_run_of(expected, run):
        raise NotFound(f"no removal of {application!r} goes on in run {run}")
    return removal


@router.put("/findings")
async def take_findings(office: Doors, server: ServerName, found: Findings) -> JSONResponse:
    """What is live on the server, for the reconciler's comparison with the records."""
    async with office.store.write() as tx:
        await servers.tell(tx, server, found)
    return JSONResponse({})


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
