"""What people read of an event."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aweigh.deployments.deployment import DeploymentState, EventKind
from aweigh.notifications.event_payload import EventPayload
from aweigh.notifications.message import LOG_LINES, event_notification, notice_notification

AT = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
LINKS = {
    "self": "https://a.example/v1/dep_1", "log": "https://a.example/v1/dep_1/log",
    "workflow": "https://t.example/w", "application": None, "commit": None,
}  # fmt: skip


def payload(kind: EventKind = EventKind.FAILED, **fields: Any) -> EventPayload:
    data: dict[str, Any] = {
        "id": "dep_1", "application": {"id": "app_1", "name": "Shop", "slug": "shop", "labels": {}},
        "server": "local", "sequence": 7, "state": DeploymentState.FAILED, "reason": "unhealthy",
        "message": "The health check failed.", "trigger": "hook", "actor": "ci",
        "reference": "1.4.2", "commit": None, "image": {"reference": "shop:1.4.2"}, "attempts": 1,
        "created_at": AT, "started_at": AT, "finished_at": AT + timedelta(seconds=72),
        "retry_of": None, "superseded_by": None, "steps": [],
        "workflow": {"id": "w", "run_id": None, "url": "https://t.example/w"}, "links": LINKS,
    }  # fmt: skip
    return EventPayload.model_validate({"type": kind, "timestamp": AT, "data": data | fields})


def test_failure_is_told_with_reason_sentence_duration_and_who() -> None:
    told = event_notification(payload(), "msg_1", ["one", "two"])

    assert told.title == "Shop 1.4.2 was not deployed: unhealthy"
    assert told.text.split("\n") == [
        "The health check failed.",
        "Deployment: #7 on server local",
        "Image: shop:1.4.2",
        "Duration: 1 min 12 s",
        "Requested by: ci (hook)",
    ]
    assert told.log == ("one", "two")
    assert told.tone == "failure"


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (EventKind.CREATED, "Shop 1.4.2 will be deployed"),
        (EventKind.STARTED, "Shop 1.4.2 is being deployed"),
        (EventKind.SUCCEEDED, "Shop 1.4.2 is live"),
        (EventKind.DELETED, "Shop 1.4.2 was deleted from the history"),
    ],
)
def test_other_events_have_their_sentence(kind: EventKind, title: str) -> None:
    assert event_notification(payload(kind, reason=None), "msg_1").title == title


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({"reference": None, "commit": "0123456789abcdef"}, "0123456789"),
        ({"reference": None, "commit": None}, "#7"),
    ],
)
def test_version_is_the_commit_or_the_number_if_there_is_no_tag(
    fields: dict[str, Any], version: str
) -> None:
    told = event_notification(payload(EventKind.SUCCEEDED, **fields), "msg_1")

    assert told.title == f"Shop {version} is live"


@pytest.mark.parametrize("reference", ["main", None])
def test_commit_is_told_with_its_subject(reference: str | None) -> None:
    subject = "Fix\nReason: none"
    shown = payload(reference=reference, commit="0123456789abcdef", commit_subject=subject)

    told = event_notification(shown, "msg_1")

    assert "Commit: 0123456789 Fix Reason: none" in told.text.split("\n")


@pytest.mark.parametrize("reason", ["cancelled", "superseded"])
def test_what_a_person_has_chosen_is_no_alarm(reason: str) -> None:
    assert event_notification(payload(reason=reason), "msg_1").tone == "info"


@pytest.mark.parametrize(
    "name", ["Shop\r\nBcc: all@example.com", "Shop\x1b[31m", "Shop\u202egnp.exe", "Shop\x00"]
)
def test_name_from_outside_stays_one_line_of_printable_text(name: str) -> None:
    application = {"id": "app_1", "name": name, "slug": "shop", "labels": {}}
    told = event_notification(payload(application=application), "msg_1")

    assert told.title.isprintable()


def test_actor_cannot_add_a_line() -> None:
    told = event_notification(payload(actor="ci\nDeployment: #8 on server other"), "msg_1")

    assert len(told.text.split("\n")) == 5


def test_what_was_cut_is_marked() -> None:
    told = event_notification(payload(message="x" * 700), "msg_1", ["y" * 400])

    assert told.text.split("\n")[0] == "x" * 600 + "…"
    assert told.log == ("y" * 300 + "…",)


def test_only_the_last_lines_of_the_log_are_told_each_of_them_cut() -> None:
    told = event_notification(payload(), "msg_1", [*map(str, range(100)), "x" * 5000])

    assert len(told.log) == LOG_LINES
    assert told.log[0] == "86"
    assert len(told.log[-1]) <= 301


def test_payload_is_the_events_own() -> None:
    given = payload()

    assert json.loads(event_notification(given, "msg_1").payload) == given.model_dump(mode="json")


def test_notices_name_the_channel_and_the_reason() -> None:
    content = {"channel": {"id": "chn_1", "name": "ops\r\nX: y"}, "reason": "It is gone (410)."}
    told = notice_notification("channel.disabled", "msg_1", AT, content)

    assert told.title == "Channel ops X: y was disabled"
    assert told.text.startswith("It is gone (410).\n")
    assert json.loads(told.payload) == {
        "type": "channel.disabled", "timestamp": "2026-11-30T20:00:00Z", "data": content,
    }  # fmt: skip
    assert "ops" in notice_notification("channel.test", "msg_1", AT, content).text
