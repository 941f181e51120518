"""The delivery workflow repeats attempts when the courier says, and shows people how it went."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from activities.inputs import DeliveryResult
from aweigh.notifications.delivery import NotDelivered
from tests.support.stage import Stage
from workflows import names
from workflows.notification import NotificationRequest, start_options

AT_ONCE = timedelta(milliseconds=10)


async def pending(handle: WorkflowHandle[Any, Any], seen: Callable[[Any], bool]) -> Any:
    """The pending activity, once it has been seen to be so."""
    async with asyncio.timeout(60):
        while True:
            described = (await handle.describe()).raw_description
            if described.pending_activities and seen(described.pending_activities[0]):
                return described.pending_activities[0]
            await asyncio.sleep(0.02)


async def failure_of(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def test_delivered_notification_completes_its_workflow(stage: Stage) -> None:
    request = stage.notification()
    handle = await stage.notify(request)

    assert await handle.result() == DeliveryResult("delivered: 204")
    assert stage.courier.attempts.count(request.delivery_id) == 1


async def test_attempts_are_repeated_when_the_courier_says(stage: Stage) -> None:
    request = stage.notification()
    stage.courier.ends[request.delivery_id] = [
        NotDelivered("it answered 500", AT_ONCE), NotDelivered("it answered 503", AT_ONCE),
        "delivered: 204",
    ]  # fmt: skip
    handle = await stage.notify(request)

    assert await handle.result() == DeliveryResult("delivered: 204")
    assert stage.courier.attempts.count(request.delivery_id) == 3


async def test_waiting_attempt_shows_its_pause_and_the_last_failure(stage: Stage) -> None:
    request = stage.notification()
    message = "https://hooks.example.com answered 429"
    stage.courier.ends[request.delivery_id] = [NotDelivered(message, timedelta(hours=3))]
    handle = await stage.notify(request)
    waiting = await pending(handle, lambda one: one.HasField("last_failure"))
    await handle.terminate()

    assert waiting.activity_id == "deliver"
    assert waiting.current_retry_interval.ToSeconds() == timedelta(hours=3).total_seconds()
    assert waiting.last_failure.message == message


async def test_delivery_that_is_given_up_fails_its_workflow(stage: Stage) -> None:
    request = stage.notification()
    stage.courier.ends[request.delivery_id] = [
        NotDelivered("it answered 500", AT_ONCE), NotDelivered("it answered\n410: gone\x1b[2J"),
    ]  # fmt: skip
    handle = await stage.notify(request)

    failure = await failure_of(handle)

    assert (failure.type, failure.message) == ("not_delivered", "it answered 410: gone\\x1b[2J")
    assert stage.courier.attempts.count(request.delivery_id) == 2


async def test_unexpected_error_is_repeated_and_not_repeated_in_the_history(stage: Stage) -> None:
    request = stage.notification()
    stage.courier.ends[request.delivery_id] = [ValueError("https://hooks.example.com/T0/secret")]
    handle = await stage.notify(request)
    waiting = await pending(handle, lambda one: one.HasField("last_failure"))
    await handle.terminate()

    assert waiting.current_retry_interval.ToSeconds() == 5
    assert "ValueError" in waiting.last_failure.message
    assert "secret" not in waiting.last_failure.message


@pytest.mark.parametrize("within", [True, False], ids=["within an attempt", "between two"])
async def test_cancel_ends_the_delivery_and_is_recorded(stage: Stage, within: bool) -> None:
    request = stage.notification()
    if within:
        stage.courier.held[request.delivery_id] = asyncio.Event()
    stage.courier.ends[request.delivery_id] = [NotDelivered("no answer", timedelta(hours=1))]
    handle = await stage.notify(request)
    if within:
        await stage.courier.reached[request.delivery_id].wait()
    else:
        await pending(handle, lambda one: one.HasField("last_failure"))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()

    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert stage.courier.was_cancelled.count(request.delivery_id) == 1
    assert stage.courier.attempts.count(request.delivery_id) == 1


async def test_second_start_of_a_delivery_is_rejected_even_after_its_end(stage: Stage) -> None:
    request = stage.notification()
    await (await stage.notify(request)).result()

    with pytest.raises(WorkflowAlreadyStartedError):
        await stage.notify(request)

    assert stage.courier.attempts.count(request.delivery_id) == 1


async def test_workflow_can_be_read_and_found(stage: Stage) -> None:
    handle = await stage.notify(stage.notification())
    await handle.result()

    described = await handle.describe()

    assert handle.id == f"notification/{stage.name}/7-failed/{stage.name[-4:]}.1"
    assert await described.static_summary() == f"{stage.name} #7 failed → ops-co"
    assert await described.static_details() == (
        f"- **deployment.failed** to the channel **Ops & Co**\n- delivery {stage.name}.1"
    )
    found = described.typed_search_attributes
    assert found[names.CHANNEL_NAME] == "Ops & Co"
    assert found[names.EVENT_KIND] == "deployment.failed"
    assert found[names.APPLICATION_NAME] == stage.name
    metadata: Any = await handle.query("__temporal_workflow_metadata")
    assert metadata.current_details == "delivered: 204"


@pytest.mark.parametrize("name", ["x" * 80, "\N{ANCHOR}" * 80, "\N{SHIP}" * 80])
async def test_temporal_takes_the_longest_name_of_a_channel(stage: Stage, name: str) -> None:
    handle = await stage.notify(stage.notification(channel=name))

    assert await handle.result() == DeliveryResult("delivered: 204")


def test_mark_up_in_the_name_of_a_channel_stays_text() -> None:
    name = "[a](https://evil.example) **b** " + "x" * 100
    options = start_options(NotificationRequest("dlv_123456", "channel.test", name))

    assert options["id"] == "notification/test/123456"
    assert options["static_summary"] == "test → a-https-evil-example-b-xxxxxxxxxxxxxxxx"
    assert r"\[a\]\(https://evil.example\)" in options["static_details"]


async def test_history_holds_only_an_id_and_words_for_people(stage: Stage) -> None:
    request = stage.notification()
    handle = await stage.notify(request)
    await handle.result()

    history = json.loads((await handle.fetch_history()).to_json())

    given = [
        json.loads(base64.b64decode(payload["data"]))
        for event in history["events"]
        for attributes in event.values()
        if isinstance(attributes, dict)
        for payload in attributes.get("input", {}).get("payloads", [])
    ]
    assert given == [asdict(request), {"delivery_id": request.delivery_id}]


def test_notifications_give_way_to_deployments() -> None:
    options = start_options(NotificationRequest("dlv_123456", "channel.test", "ops"))

    assert (options["priority"].priority_key or 0) > 3  # the default
