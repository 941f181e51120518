"""What a server worker reports of a deployment's steps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aweigh.contract import StepReport
from aweigh.deployments.deployment import StepState
from aweigh.deployments.release import Commit, Image
from aweigh.store import deployments, steps
from aweigh.store.database import Store
from aweigh.store.deployments import Deployment
from tests.support.installation import IMAGE, new_application, new_deployment, start

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPOSITORY = {"type": "git", "repository": "https://git.example.com/shop.git"}
LATER = NOON + timedelta(seconds=3)


@pytest.fixture
async def deployment(store: Store) -> str:
    made = await new_deployment(store, await new_application(store))
    await start(store, made)
    return made


async def report(store: Store, deployment_id: str, name: str, **fields: Any) -> None:
    running: dict[str, Any] = {"state": StepState.RUNNING, "run_id": "run-1", "attempt": 1}
    said = StepReport(**running | fields)
    async with store.write() as tx:
        await steps.report(tx, deployment_id, name, said)


async def found(store: Store, deployment_id: str) -> Deployment:
    async with store.read() as tx:
        return await deployments.find(tx, deployment_id)


async def test_a_step_is_shown_by_the_workers_own_clock(store: Store, deployment: str) -> None:
    await report(store, deployment, "pull", started_at=NOON, detail="1 of 2 layers")
    (running,) = (await found(store, deployment)).steps
    assert (running.state, running.started_at, running.finished_at, running.detail) == (
        "running", NOON, None, "1 of 2 layers",
    )  # fmt: skip

    await report(
        store, deployment, "pull", state=StepState.SUCCEEDED, started_at=NOON, finished_at=LATER,
        attempt=2, detail="12 layers",
    )  # fmt: skip

    (ended,) = (await found(store, deployment)).steps
    assert (ended.state, ended.finished_at, ended.attempts, ended.detail) == (
        "succeeded", LATER, 2, "12 layers",
    )  # fmt: skip


async def test_steps_come_in_the_order_they_began(store: Store, deployment: str) -> None:
    for index, name in enumerate(["preflight", "pull", "create", "health"]):
        await report(store, deployment, name, started_at=NOON + timedelta(seconds=index))

    names = [step.name for step in (await found(store, deployment)).steps]
    assert names == ["preflight", "pull", "create", "health"]


async def test_steps_that_began_together_come_in_the_order_of_a_deployment(
    store: Store, deployment: str
) -> None:
    for name in ("sweep", "create", "preflight", "undo", "pull"):
        await report(store, deployment, name, started_at=NOON)

    names = [step.name for step in (await found(store, deployment)).steps]
    assert names == ["preflight", "pull", "create", "sweep", "undo"]


async def test_a_pinned_image_belongs_to_the_release(store: Store, deployment: str) -> None:
    image = Image(reference=f"{IMAGE}:v1", id="sha256:1", digest=f"sha256:{'a' * 64}")

    await report(store, deployment, "pull", image=image)
    await report(store, deployment, "pull", state=StepState.SUCCEEDED)

    assert (await found(store, deployment)).image == image


async def test_a_digest_that_is_known_is_kept(store: Store, deployment: str) -> None:
    digest = f"sha256:{'a' * 64}"
    image = Image(reference=f"{IMAGE}:v1", id="sha256:1", digest=digest)
    await report(store, deployment, "pull", image=image)

    await report(store, deployment, "pull", image=Image(reference=f"{IMAGE}:v1", id="sha256:2"))

    now = (await found(store, deployment)).image
    assert (now.id, now.digest) == ("sha256:2", digest)


async def test_commit_that_a_step_found_belongs_to_the_release(store: Store) -> None:
    application = await new_application(store, source=REPOSITORY)
    deployment = await new_deployment(store, application)
    await start(store, deployment)

    await report(store, deployment, "fetch", commit="1" * 40)
    unread = (await found(store, deployment)).commit
    await report(store, deployment, "fetch", commit_subject="Fix the basket")
    await report(store, deployment, "fetch", state=StepState.SUCCEEDED)
    read = (await found(store, deployment)).commit

    assert (unread, read) == (
        Commit(id="1" * 40),
        Commit(id="1" * 40, subject="Fix the basket"),
    )


async def test_commit_that_was_read_before_keeps_its_subject(store: Store) -> None:
    """Its files are not fetched again where its image exists."""
    application = await new_application(store, source=REPOSITORY)
    asked = {"commit": "1" * 40, "commit_subject": "Fix the basket"}
    await new_deployment(store, application, **asked)
    other = await new_application(store, "other", source=REPOSITORY)

    named = await new_deployment(store, application, commit="1" * 40)
    resolved = await new_deployment(store, application)
    foreign = await new_deployment(store, other, commit="1" * 40)
    await start(store, resolved)
    await report(store, resolved, "fetch", commit="1" * 40)

    commits = [(await found(store, one)).commit for one in (named, resolved, foreign)]
    assert [one and one.subject for one in commits] == ["Fix the basket", "Fix the basket", None]


async def test_subject_of_a_commit_hides_the_values_of_variables(store: Store) -> None:
    application = await new_application(store, source=REPOSITORY, env={"KEY": "hunter2-hunter2"})
    subject = "Use hunter2-hunter2 as key"

    made = await new_deployment(store, application, commit="1" * 40, commit_subject=subject)

    assert (await found(store, made)).commit == Commit(id="1" * 40, subject="Use ********** as key")
