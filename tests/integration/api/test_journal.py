"""The two sides of the contract together: a worker's journal and the real API."""

from pathlib import Path

import httpx2
import pytest

from aweigh.contract import Lease, StepReport
from aweigh.core.errors import Conflict
from aweigh.deployments.deployment import Reason, StepName, StepState
from aweigh.deployments.release import Image
from aweigh.deployments.step_errors import StepFailed
from aweigh.servers.api_client import Api
from aweigh.servers.journal import Journal
from aweigh.store import lifecycle
from tests.support.api_caller import Caller
from tests.support.installation import IMAGE, start

LEASE = Lease(identity="identity-1", boot="boot-1", worker_version="1")


def api_of(caller: Caller, identity: str = "identity-1", boot: str = "boot-1") -> Api:
    transport = httpx2.ASGITransport(caller.app, raise_app_exceptions=False)
    return Api("http://aweigh", caller.tokens["server"], identity, boot, transport)


@pytest.fixture
async def api(caller: Caller) -> Api:
    made = api_of(caller)
    await made.lease(LEASE)
    return made


@pytest.fixture
async def deployment(caller: Caller) -> str:
    made = await caller.deploy(await caller.create(env={"TOKEN": "correct-horse"}))
    await start(caller.store, made)
    return made


def report(state: StepState = StepState.RUNNING, image: Image | None = None) -> StepReport:
    return StepReport(state=state, run_id="run-1", attempt=1, image=image)


async def shown(caller: Caller, deployment_id: str) -> list[str]:
    text = (await caller.call("GET", f"/v1/deployments/{deployment_id}/log")).text
    return [line.partition(" ")[2] for line in text.splitlines()]


async def test_a_worker_gets_its_release(caller: Caller, api: Api, deployment: str) -> None:
    release = await api.release(deployment)

    assert (release.deployment, release.slug, release.sequence) == (deployment, "shop", 1)
    assert release.settings.env["TOKEN"].text == "correct-horse"


async def test_what_a_worker_tells_is_shown(
    caller: Caller, api: Api, deployment: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal", api)
    journal.write(deployment, "pulling\nTOKEN=correct-horse", ["correct-horse"])
    journal.report(deployment, StepName.PULL, report(StepState.SUCCEEDED))
    await journal.flush(deployment)
    journal.forget(deployment)
    journal.write(deployment, "created", [])
    await Journal(tmp_path / "journal", api).flush(deployment)

    assert await shown(caller, deployment) == ["pulling", "TOKEN=**********", "created"]
    (step,) = (await caller.get(f"/v1/deployments/{deployment}/steps"))["items"]
    assert (step["name"], step["state"]) == ("pull", "succeeded")


async def test_an_image_that_is_pinned_belongs_to_the_release(
    caller: Caller, api: Api, deployment: str
) -> None:
    image = Image(reference=f"{IMAGE}:v1", id="sha256:1", digest=f"sha256:{'a' * 64}")

    await api.report(deployment, StepName.PULL, report(image=image))

    assert (await api.release(deployment)).image == image
    assert (await caller.get(f"/v1/deployments/{deployment}"))["image"] == image.model_dump()


async def test_a_step_of_what_has_ended_is_told_so(
    caller: Caller, api: Api, deployment: str
) -> None:
    async with caller.store.write() as tx:
        await lifecycle.failed(tx, deployment, Reason.CANCELLED, "Cancelled.", run_id="run-1")

    with pytest.raises(StepFailed, match="has ended as failed / cancelled"):
        await api.report(deployment, StepName.PULL, report())


async def test_two_that_append_at_once_agree_on_one_log(
    caller: Caller, api: Api, deployment: str
) -> None:
    assert await api.append_log(deployment, 0, b"one\n") == 4
    assert await api.append_log(deployment, 0, b"another\n") == 4
    assert await api.append_log(deployment, 4, b"two\n") == 8


@pytest.mark.parametrize(
    ("identity", "boot"), [("identity-2", "boot-1"), ("identity-1", "boot-2"), ("identity-1", "")]
)
async def test_a_clone_of_the_worker_is_refused(
    caller: Caller, api: Api, deployment: str, identity: str, boot: str
) -> None:
    clone = api_of(caller, identity, boot)

    for call in (
        clone.lease(LEASE.model_copy(update={"identity": identity, "boot": boot})),
        clone.release(deployment),
        clone.report(deployment, StepName.PULL, report()),
        clone.append_log(deployment, 0, b"x"),
        clone.inventory(),
    ):
        with pytest.raises(Conflict, match="held by another server worker"):
            await call


async def test_a_server_that_has_seen_more_gets_a_deployment_above_it(
    caller: Caller, api: Api, deployment: str
) -> None:
    made = await api.lift(deployment, 7)

    assert made is not None
    assert (await api.release(made)).sequence == 8
    assert await api.lift(deployment, 7) is None
    (known,) = (await api.inventory()).applications
    assert known.highest_sequence == 8
