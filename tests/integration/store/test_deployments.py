"""Deployments: how they are admitted, and what they are made of."""

from typing import Any

import pytest
from dirty_equals import IsStr

from aweigh.contract import StepReport
from aweigh.core.errors import Conflict, Invalid, NotFound
from aweigh.deployments.deployment import DeploymentState, EventKind, Reason, StepState, Trigger
from aweigh.deployments.release import Image, Release
from aweigh.deployments.source import ImageSource
from aweigh.store import admission, applications, deployments, removals, steps
from aweigh.store.admission import Order
from aweigh.store.database import Store
from aweigh.store.lifecycle import failed, succeeded
from tests.support.installation import (
    IMAGE,
    events_of,
    new_application,
    new_deployment,
    settings_of,
    start,
    succeed,
)

DIGEST = f"sha256:{'a' * 64}"


async def release_of(store: Store, deployment_id: str) -> Release:
    async with store.read() as tx:
        return await deployments.release_of(tx, await deployments.find_row(tx, deployment_id))


async def pin(store: Store, deployment_id: str, image: Image) -> None:
    report = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1, image=image)
    async with store.write() as tx:
        await steps.report(tx, deployment_id, "pull", report)


async def go_live(store: Store, application_id: str, image_id: str, **order: Any) -> str:
    """A deployment that succeeded with this image."""
    made = await new_deployment(store, application_id, **order)
    await start(store, made)
    reference = (await release_of(store, made)).image.reference
    await pin(store, made, Image(reference=reference, id=image_id, digest=DIGEST))
    await succeed(store, made)
    return made


async def change(store: Store, application_id: str, **fields: Any) -> None:
    async with store.write() as tx:
        found = await applications.find(tx, application_id, lock=True)
        await applications.change(tx, found, settings_of(**fields))


async def test_a_deployment_begins_created_with_its_event(store: Store) -> None:
    application = await new_application(store)

    made = await new_deployment(store, application, tag="v2", actor="hook")

    async with store.read() as tx:
        found = await deployments.find(tx, made)
    row = found.row
    assert row.id == IsStr(regex=r"dep_[0-9a-v]{26}")
    assert (row.state, row.sequence, row.trigger, row.actor, row.tag) == (
        DeploymentState.CREATED, 1, Trigger.HOOK, "hook", "v2",
    )  # fmt: skip
    assert (row.started_at, row.finished_at, row.reason, row.attempts) == (None, None, None, 0)
    assert found.application.id == application
    assert found.image == Image(reference=f"{IMAGE}:v2")
    assert found.steps == ()
    assert await events_of(store, made) == [EventKind.CREATED]


async def test_sequences_rise_by_application(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")

    made = [await new_deployment(store, one) for one in (shop, shop, blog, shop)]

    assert [(await release_of(store, one)).sequence for one in made] == [1, 2, 1, 3]


async def test_the_release_is_what_the_server_worker_needs(store: Store) -> None:
    application = await new_application(store, env={"TOKEN": "geheim"}, replicas=2)

    made = await new_deployment(store, application)

    assert await release_of(store, made) == Release(
        deployment=made, application=application, slug="shop", server="local", sequence=1,
        image=Image(reference=f"{IMAGE}:v1"),
        settings=settings_of(env={"TOKEN": "geheim"}, replicas=2),
    )  # fmt: skip


async def test_a_release_is_a_snapshot_of_the_settings(store: Store) -> None:
    application = await new_application(store, replicas=2)
    made = await new_deployment(store, application)

    await change(store, application, replicas=3)

    assert (await release_of(store, made)).settings.replicas == 2


@pytest.mark.parametrize("tag", ["", "has space", "-v1", "v1@x", "x" * 129, "sha256:abc", "v\n1"])
async def test_what_is_not_a_tag_is_refused(store: Store, tag: str) -> None:
    application = await new_application(store)

    with pytest.raises(Invalid) as caught:
        await new_deployment(store, application, tag=tag)

    assert caught.value.field == "tag"
    assert await events_of(store, None) == []


async def test_a_digest_can_be_given_for_a_tag(store: Store) -> None:
    made = await new_deployment(store, await new_application(store), tag=DIGEST)

    release = await release_of(store, made)
    assert release.image.reference == f"{IMAGE}@{DIGEST}"
    assert isinstance(release.settings.source, ImageSource)
    assert str(release.settings.source.reference) == f"{IMAGE}@{DIGEST}"


async def test_a_tag_replaces_the_digest_of_the_settings(store: Store) -> None:
    source = {"image": f"{IMAGE}@{DIGEST}", "tag": None}
    made = await new_deployment(store, await new_application(store, source=source), tag="v2")

    assert (await release_of(store, made)).image.reference == f"{IMAGE}:v2"


async def test_a_redeploy_takes_the_live_image_with_the_settings_of_now(store: Store) -> None:
    application = await new_application(store)
    await go_live(store, application, "sha256:live")
    await change(store, application, replicas=3)

    again = await release_of(store, await new_deployment(store, application))

    assert again.image == Image(reference=f"{IMAGE}:v1", id="sha256:live", digest=DIGEST)
    assert again.settings.replicas == 3


async def test_a_redeploy_after_a_hooks_tag_takes_what_that_made_live(store: Store) -> None:
    application = await new_application(store)
    await go_live(store, application, "sha256:two", tag="v2")

    again = await release_of(store, await new_deployment(store, application))

    assert again.image == Image(reference=f"{IMAGE}:v2", id="sha256:two", digest=DIGEST)


async def test_a_tag_is_always_resolved_anew(store: Store) -> None:
    application = await new_application(store)
    await go_live(store, application, "sha256:live", tag="v1")

    again = await release_of(store, await new_deployment(store, application, tag="v1"))

    assert again.image == Image(reference=f"{IMAGE}:v1")


async def test_a_tag_changed_in_the_settings_is_resolved_anew(store: Store) -> None:
    application = await new_application(store)
    await go_live(store, application, "sha256:live")
    await change(store, application, source={"tag": "v9"})

    again = await release_of(store, await new_deployment(store, application))

    assert again.image == Image(reference=f"{IMAGE}:v9")


async def test_a_failed_deployment_changes_nothing_of_the_next_redeploy(store: Store) -> None:
    application = await new_application(store)
    await go_live(store, application, "sha256:live")
    bad = await new_deployment(store, application, tag="v2")
    async with store.write() as tx:
        await failed(tx, bad, Reason.UNHEALTHY, "no", run_id="run-1")

    again = await release_of(store, await new_deployment(store, application))

    assert again.image == Image(reference=f"{IMAGE}:v1", id="sha256:live", digest=DIGEST)


async def test_a_retry_takes_the_release_as_it_was(store: Store) -> None:
    application = await new_application(store, replicas=2)
    first = await new_deployment(store, application, tag="v2")
    await pin(store, first, Image(reference=f"{IMAGE}:v2", id="sha256:two", digest=DIGEST))
    await change(store, application, replicas=3)

    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        row = await deployments.find_row(tx, first)
        order = Order(trigger=Trigger.RETRY, actor="ci", retry_of=first, tag=row.tag)
        again = await admission.admit_again(tx, found, row, order)

    retried = await release_of(store, again.id)
    assert retried.image == Image(reference=f"{IMAGE}:v2", id="sha256:two", digest=DIGEST)
    assert retried.settings.replicas == 2
    assert retried.sequence == 2


async def test_an_application_that_is_being_removed_is_not_deployed(store: Store) -> None:
    application = await new_application(store)
    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=False)

    with pytest.raises(Conflict, match="shop cannot be deployed: it is being removed"):
        await new_deployment(store, application)

    assert await events_of(store, None) == []


async def test_a_removal_takes_a_sequence_like_a_deployment(store: Store) -> None:
    application = await new_application(store)
    await new_deployment(store, application)

    async with store.write() as tx:
        found = await applications.find(tx, application, lock=True)
        await removals.request(tx, found.row, volumes=True)

    async with store.read() as tx:
        row = (await applications.find(tx, application)).row
    assert (row.last_sequence, row.removal_sequence, row.removal_volumes) == (2, 2, True)


@pytest.mark.parametrize("name", ["dep_aaaaaaaaaaaaaaaaaaaaaaaaaa", "", "a\0b", "\ud800"])
async def test_a_deployment_that_is_not_there_is_not_found(store: Store, name: str) -> None:
    async with store.read() as tx:
        with pytest.raises(NotFound, match="there is no deployment"):
            await deployments.find(tx, name)


async def test_pages_come_newest_first_and_hold_every_deployment_once(store: Store) -> None:
    application = await new_application(store)
    made = [await new_deployment(store, application) for _ in range(5)]

    seen: list[str] = []
    async with store.read() as tx:
        while page := await deployments.page(
            tx, application_id=None, state=None, before=seen[-1] if seen else None, limit=2
        ):
            seen += [one.row.id for one in page]

    assert seen == made[::-1]


async def test_pages_can_be_of_one_application_and_one_state(store: Store) -> None:
    shop, blog = await new_application(store), await new_application(store, "blog")
    first, second, _ = [await new_deployment(store, one) for one in (shop, shop, blog)]
    async with store.write() as tx:
        await succeeded(tx, first, "run-1")

    async with store.read() as tx:
        of_shop = await deployments.page(tx, application_id=shop, state=None, before=None, limit=10)
        ended = await deployments.page(
            tx, application_id=None, state=DeploymentState.SUCCEEDED, before=None, limit=10
        )

    assert [one.row.id for one in of_shop] == [second, first]
    assert [one.row.id for one in ended] == [first]
