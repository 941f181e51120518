"""Deletion of deployments: what goes, and what must stay."""

import asyncio
import json

import pytest
from dirty_equals import IsPartialDict
from sqlalchemy import select

from aweigh.contract import Findings, StepReport
from aweigh.core.errors import Conflict, NotFound
from aweigh.deployments.deployment import StepState, Trigger
from aweigh.store import (
    applications,
    deployments,
    logs,
    removals,
    servers,
    steps,
)
from aweigh.store.database import Store
from aweigh.store.tables import (
    ApplicationRow,
    Base,
    DeploymentRow,
    EventRow,
    LogChunk,
    ReleaseRow,
    StepRow,
)
from tests.support.deleting import KEEP, again, delete, fail, ids_in, succeeded
from tests.support.installation import (
    SERVER,
    events_of,
    new_application,
    new_deployment,
    start,
    succeed,
)


async def refusal(store: Store, deployment_id: str, keep: int = KEEP) -> str:
    """Why it is not deleted; nothing is changed then."""
    before = await count(store)
    with pytest.raises(Conflict) as caught:
        await delete(store, deployment_id, keep)
    assert await count(store) == before
    return str(caught.value)


async def count(store: Store) -> dict[str, int]:
    async with store.read() as tx:
        tables = Base.metadata.tables.items()
        return {name: len((await tx.session.execute(select(one))).all()) for name, one in tables}


async def test_record_steps_log_and_release_go_and_the_event_tells_of_them(store: Store) -> None:
    application = await new_application(store)
    kept, gone = [await new_deployment(store, application, tag=tag) for tag in ("v1", "v2")]
    for one in (kept, gone):
        await start(store, one)
        report = StepReport(state=StepState.SUCCEEDED, run_id="run-1", attempt=2, detail="3 MB")
        async with store.write() as tx:
            await steps.report(tx, one, "pull", report)
            await logs.append(tx, one, 0, b"a line\n")
    await succeed(store, kept)
    await fail(store, gone)

    await delete(store, gone)

    for table in (StepRow, LogChunk):
        assert await ids_in(store, table, table.deployment_id) == {kept}
    assert await ids_in(store, DeploymentRow, DeploymentRow.id) == {kept}
    assert len(await ids_in(store, ReleaseRow, ReleaseRow.id)) == 1
    kinds = ["deployment.created", "deployment.started", "deployment.failed", "deployment.deleted"]
    assert await events_of(store, gone) == kinds
    async with store.read() as tx:
        newest = select(EventRow).order_by(EventRow.id.desc()).limit(1)
        event = (await tx.session.scalars(newest)).one()
    assert event.application_id == application
    assert json.loads(event.deployment or "") == IsPartialDict(
        id=gone, sequence=2, state="failed", reason="unhealthy", message="no", tag="v2",
        image=IsPartialDict(reference="registry.example.com/acme/shop:v2"),
        steps=[IsPartialDict(name="pull", state="succeeded", attempts=2, detail="3 MB")],
    )  # fmt: skip


async def test_what_was_deleted_is_unknown_everywhere(store: Store) -> None:
    application = await new_application(store)
    gone = await new_deployment(store, application)
    await fail(store, gone)
    await delete(store, gone)

    with pytest.raises(NotFound):
        await delete(store, gone)
    with pytest.raises(NotFound):
        await start(store, gone, "run-2")
    with pytest.raises(NotFound):
        await again(store, gone, Trigger.RETRY)
    async with store.write() as tx:
        with pytest.raises(NotFound):
            await logs.append(tx, gone, 0, b"late\n")


@pytest.mark.parametrize("begun", [False, True])
async def test_what_has_not_ended_is_to_be_cancelled_first(store: Store, begun: bool) -> None:
    made = await new_deployment(store, await new_application(store))
    if begun:
        await start(store, made)

    said = await refusal(store, made)

    assert f"has not ended ({'started' if begun else 'created'})" in said
    assert f"POST /v1/deployments/{made}/cancel" in said


async def test_what_is_live_stays_and_so_does_the_only_way_back(store: Store) -> None:
    application = await new_application(store)
    oldest, older, live = await succeeded(store, application, 3)

    assert await refusal(store, live) == f"{live} cannot be deleted: it is live"
    await delete(store, older)
    assert "the only deployment that the application can be rolled back to" in await refusal(
        store, oldest
    )
    await delete(store, oldest, keep=1)  # no image is kept for rollbacks

    async with store.read() as tx:
        row = await applications.find_row(tx, application)
    assert row.live == live


async def test_a_release_goes_with_the_last_deployment_of_it(store: Store) -> None:
    application = await new_application(store)
    first, second = await succeeded(store, application, 2)
    back = await again(store, first)
    assert "which has not ended, deploys its release again" in await refusal(store, first)
    await succeed(store, back)

    await delete(store, first)  # the live deployment has its release

    assert len(await ids_in(store, ReleaseRow, ReleaseRow.id)) == 2
    await succeeded(store, application, 1)
    await delete(store, back)
    assert await ids_in(store, DeploymentRow, DeploymentRow.id) >= {second}
    assert len(await ids_in(store, ReleaseRow, ReleaseRow.id)) == 2


async def test_a_failed_one_that_its_server_reports_as_live_stays(store: Store) -> None:
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    await fail(store, made)
    for live, verified in (((made,), ()), ((), (made,))):
        async with store.write() as tx:
            found = Findings(run_id="run-r", live=live, verified=verified)
            await servers.keep_findings(tx, SERVER, found)

        assert "its server reports it as live" in await refusal(store, made)

    async with store.write() as tx:
        await servers.keep_findings(tx, SERVER, Findings(run_id="run-s"))
    await delete(store, made)


@pytest.mark.parametrize("first", ["delete", "rollback"])
async def test_a_rollback_at_the_same_time_comes_before_it_or_not_at_all(
    store: Store, first: str
) -> None:
    application = await new_application(store)
    oldest, *_ = await succeeded(store, application, 3)

    async def roll_back() -> str | Exception:
        try:
            return await again(store, oldest)
        except NotFound as error:
            return error

    async def delete_it() -> Exception | None:
        try:
            await delete(store, oldest)
        except Conflict as error:
            return error
        return None

    calls = [delete_it(), roll_back()]
    results = await asyncio.gather(*(calls if first == "delete" else calls[::-1]))
    deletion_error, made = results if first == "delete" else results[::-1]

    assert isinstance(made, NotFound) is (deletion_error is None)
    if isinstance(made, str):
        async with store.read() as tx:
            assert await deployments.release_of(tx, await deployments.find_row(tx, made))


async def test_everything_of_a_removed_application_can_be_deleted(store: Store) -> None:
    application = await new_application(store)
    made = await succeeded(store, application, 2)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)
        await removals.succeeded(tx, application)

    for one in made:
        await delete(store, one)

    assert await ids_in(store, DeploymentRow, DeploymentRow.id) == set()
    assert await ids_in(store, ReleaseRow, ReleaseRow.id) == set()
    assert await ids_in(store, ApplicationRow, ApplicationRow.id) == {application}
