"""What a server worker may read and report: only what its server needs now.

That is: deployments in flight or live on its server, late reports on ended ones, open removals, and
the branches that its applications follow; nothing of a removed application.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import SecretStr

from api.dependencies import AppContext, Context, ServerName, ServerToken
from api.problems import problem
from aweigh.contract import (
    BranchHead,
    Findings,
    HighestSequence,
    Inventory,
    Lease,
    PolledApplications,
    PollOutcome,
    Removal,
    Replacement,
    RepositoryToken,
    StepReport,
)
from aweigh.core.errors import Conflict, NotFound, Refused, UnknownRun
from aweigh.deployments.deployment import DeploymentState, StepName
from aweigh.deployments.repository import AppInstallation, Token
from aweigh.deployments.source import GitSource
from aweigh.deployments.workflow_ids import removal_workflow
from aweigh.github.app import READ
from aweigh.secrets.value import REVEAL
from aweigh.store import (
    admission,
    branch_polls,
    deployments,
    inventory,
    logs,
    removals,
    servers,
    steps,
)
from aweigh.store.database import Transaction
from aweigh.store.tables import DeploymentRow

router = APIRouter(prefix="/v1/worker", tags=["server workers"], include_in_schema=False)


async def _own(
    tx: Transaction, server: str, deployment_id: str, *, lock: bool = False
) -> DeploymentRow:
    """Raises: NotFound: it is on another server, or its application was removed."""
    row = await deployments.find_row(tx, deployment_id, lock=lock)
    application = await deployments.application_of(tx, row)
    if row.server != server or application.removed_at:
        raise NotFound(f"there is no deployment {deployment_id!r} on server {server}")
    return row


def _in_flight(row: DeploymentRow) -> bool:
    return not DeploymentState(row.state).ended


@router.post("/lease")
async def lease(context: Context, bearer: ServerToken, asked: Lease) -> dict[str, str]:
    async with context.store.write() as tx:
        await servers.lease(tx, bearer.server or "", asked)
    return {"server": bearer.server or ""}


@router.get("/releases/{deployment}")
async def read_release(
    context: Context, server: ServerName, deployment: str, run: str | None = None
) -> Response:
    """Return the release with its secrets while it is in flight or live.

    A step receives it only if its run is on record; a new run reports its step first.
    """
    async with context.store.read() as tx:
        row = await _own(tx, server, deployment)
        application = await deployments.application_of(tx, row)
        if not (_in_flight(row) or application.live == row.id):
            raise NotFound(f"{deployment} is neither in flight nor live")
        if run is not None and run != row.run_id:
            raise NotFound(f"{deployment} has no run {run}")
        release = await deployments.release_of(tx, row)
    return Response(release.model_dump_json(context=REVEAL), media_type="application/json")


@router.post("/releases/{deployment}/repository-token")
async def repository_token(context: Context, server: ServerName, deployment: str) -> Response:
    """Return a token of the GitHub App for the repository of a deployment in flight."""
    async with context.store.read() as tx:
        row = await _own(tx, server, deployment)
        if not _in_flight(row):
            raise NotFound(f"{deployment} is not in flight; deploy again")
        source = (await deployments.release_of(tx, row)).settings.source
    if not (isinstance(source, GitSource) and isinstance(source.credentials, AppInstallation)):
        raise NotFound(f"{deployment} needs no such token")
    try:
        token = await context.github.token(source.credentials, source.repository, READ)
    except Refused as error:
        return problem(422, "refused", str(error))
    return JSONResponse(RepositoryToken(token=token).model_dump())


@router.put("/releases/{deployment}/steps/{name}")
async def report_step(
    context: Context, server: ServerName, deployment: str, name: StepName, report: StepReport
) -> Response:
    """Record a step of a known run; a new run must be of the workflow that the lane started."""
    try:
        try:
            await _record_step(context, server, deployment, name, report, known=False)
        except UnknownRun as error:
            await _check_run(context, deployment, report.run_id, error)
            await _record_step(context, server, deployment, name, report, known=True)
    except (Conflict, UnknownRun) as error:
        return problem(410, "ended", str(error))
    return JSONResponse({})


async def _record_step(
    context: AppContext, server: str, deployment: str, name: str, report: StepReport, *, known: bool
) -> None:
    async with context.store.write() as tx:
        await _own(tx, server, deployment, lock=True)
        await steps.report(tx, deployment, name, report, known=known)
    context.followers.touch(deployment)


async def _check_run(
    context: AppContext, deployment: str, run_id: str, unknown: UnknownRun
) -> None:
    """Raises: UnknownRun, Unavailable."""
    async with context.store.read() as tx:
        row = await deployments.find_row(tx, deployment)
        expected = await deployments.workflow_of(tx, row)
    if not await context.executions.is_run_of(expected, run_id):
        raise unknown


@router.put("/releases/{deployment}/log")
async def append_log(
    context: Context,
    server: ServerName,
    request: Request,
    deployment: str,
    offset: Annotated[int, Query(ge=0)],
) -> Response:
    """Append at the exact end; 409 answers the current length, 410 that the log is closed."""
    data = await request.body()
    async with context.store.write() as tx:
        row = await _own(tx, server, deployment, lock=True)
        if not await deployments.accepts_reports(tx, row):
            return problem(410, "ended", f"{deployment} ended long ago")
        appended = await logs.append(tx, deployment, offset, data)
    context.followers.touch(deployment)
    return JSONResponse({"length": appended.length}, 200 if appended.taken else 409)


@router.put("/releases/{deployment}/fence")
async def lift_counter(
    context: Context, server: ServerName, deployment: str, fence: HighestSequence
) -> Replacement:
    """Continue from a higher sequence that the server has seen, if the database lacks it."""
    async with context.store.write() as tx:
        row = await _own(tx, server, deployment, lock=True)
        if not _in_flight(row):
            raise NotFound(f"{deployment} is not in flight")
        made = await admission.lift_sequence(tx, row, fence.highest)
    context.relay.wake()
    return Replacement(deployment=made.id if made else None)


@router.get("/removals/{application}")
async def read_removal(context: Context, server: ServerName, application: str, run: str) -> Removal:
    """Return what is to be removed, for the run of the workflow that the lane started."""
    async with context.store.read() as tx:
        removal = await removals.find_requested(tx, server, application)
    expected = removal_workflow(removal.slug, removal.sequence)
    if not await context.executions.is_run_of(expected, run):
        raise NotFound(f"run {run} is not the run of an open removal of {application!r}")
    return removal


@router.put("/findings")
async def store_findings(context: Context, server: ServerName, found: Findings) -> JSONResponse:
    """Store what is live on the server, for the comparison with the records."""
    async with context.store.write() as tx:
        await servers.keep_findings(tx, server, found)
    return JSONResponse({})


@router.get("/inventory")
async def read_inventory(
    context: Context, server: ServerName, application: str | None = None
) -> Inventory:
    """Return the inventory of a server, or of one application, which may be removed."""
    async with context.store.read() as tx:
        return await inventory.of_server(tx, server, context.settings.keep_releases, application)


@router.get("/branches")
async def read_polled_applications(context: Context, server: ServerName) -> PolledApplications:
    async with context.store.read() as tx:
        return PolledApplications(applications=tuple(await branch_polls.followers(tx, server)))


@router.get("/branches/{application}")
async def read_branch(context: Context, server: ServerName, application: str) -> Response:
    """Return what a poll needs; 404 if the branch is not to be polled now."""
    async with context.store.read() as tx:
        branch = await branch_polls.branch(tx, server, application)
    credentials = branch.source.credentials
    if isinstance(credentials, AppInstallation):
        try:
            token = await context.github.token(credentials, branch.source.repository, READ)
        except Refused as error:
            return problem(422, "refused", str(error))
        opened = {"credentials": Token(token=SecretStr(token))}
        branch = branch.model_copy(update={"source": branch.source.model_copy(update=opened)})
    return Response(branch.model_dump_json(context=REVEAL), media_type="application/json")


@router.put("/branches/{application}/head")
async def report_head(
    context: Context, server: ServerName, application: str, head: BranchHead
) -> PollOutcome:
    async with context.store.write() as tx:
        taken = await branch_polls.take(tx, server, application, head)
    context.relay.wake()
    return PollOutcome(deployment=taken.deployment, why_ignored=taken.why_ignored)
