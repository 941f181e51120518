"""What people are told of an event: a title, a few lines, links, and the end of a failed log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from aweigh.core.text import CUT, LONGEST_SUBJECT, one_line, printable
from aweigh.deployments.deployment import EventKind, Reason
from aweigh.notifications.delivery import Notification

if TYPE_CHECKING:
    from aweigh.notifications.event_payload import EventDeployment, EventPayload

#: Characters of a value in a title, of one in a line, and of a line of a log.
_SHORT: Final = 80
_LONG: Final = 600
_LOG_LINE: Final = 300
#: Lines of a failed deployment's log.
LOG_LINES: Final = 15
_COMMIT: Final = 10
#: Reasons that a person has chosen, or that are no fault.
_EXPECTED: Final = (Reason.CANCELLED, Reason.SUPERSEDED)

_SENTENCES: Final = {
    EventKind.CREATED: "will be deployed",
    EventKind.STARTED: "is being deployed",
    EventKind.SUCCEEDED: "is live",
    EventKind.FAILED: "was not deployed",
    EventKind.DELETED: "was deleted from the history",
}


def event_notification(
    payload: EventPayload, message_id: str, log: Sequence[str] = ()
) -> Notification:
    """`log`: the last lines of a failed deployment's log, masked."""
    deployment = payload.data
    return Notification(
        id=message_id,
        at=payload.timestamp,
        payload=payload.model_dump_json(),
        title=_title(payload.type, deployment),
        text="\n".join(_lines(payload.type, deployment)),
        log=tuple(_cut(line.rstrip(), _LOG_LINE) for line in log[-LOG_LINES:]),
        tone=_tone(payload.type, deployment.reason),
        links=tuple(_links(deployment)),
        thread=deployment.id,
    )


def notice_notification(
    kind: str, message_id: str, at: datetime, content: Mapping[str, Any]
) -> Notification:
    """Return what a channel is told that is no event: a test, or that another one was disabled.

    `content`: `channel` with its `name`, and the `reason` of a `channel.disabled`.
    """
    name = _shown(content["channel"]["name"])
    if kind == "channel.disabled":
        title = f"Channel {name} was disabled"
        text = (
            f"{_shown(content.get('reason') or 'It accepts no messages.', _LONG)}\n"
            "Its waiting notifications were dropped. Correct its target, then enable it again."
        )
    else:
        title = "Test message from Aweigh"
        text = f"The channel {name} works: its notifications arrive here."
    timestamp = at.isoformat().replace("+00:00", "Z")
    return Notification(
        id=message_id,
        at=at,
        payload=json.dumps({"type": kind, "timestamp": timestamp, "data": content}),
        title=title,
        text=text,
        tone="failure" if kind == "channel.disabled" else "info",
    )


def _title(kind: EventKind, deployment: EventDeployment) -> str:
    what = f"{_shown(deployment.application.name)} {_version(deployment)} {_SENTENCES[kind]}"
    if kind is EventKind.FAILED and deployment.reason:
        return f"{what}: {deployment.reason.replace('_', ' ')}"
    return what


def _version(deployment: EventDeployment) -> str:
    if deployment.reference:
        return _shown(deployment.reference)
    if deployment.commit:
        return deployment.commit[:_COMMIT]
    return f"#{deployment.sequence}"


def _lines(kind: EventKind, deployment: EventDeployment) -> Iterator[str]:
    if kind is EventKind.FAILED and deployment.message:
        yield _shown(deployment.message, _LONG)
    yield f"Deployment: #{deployment.sequence} on server {_shown(deployment.server)}"
    if deployment.commit and (deployment.reference or deployment.commit_subject):
        subject = _shown(deployment.commit_subject or "", LONGEST_SUBJECT)
        yield f"Commit: {deployment.commit[:_COMMIT]} {subject}".rstrip()
    if deployment.image.reference:
        yield f"Image: {_shown(deployment.image.reference, _LONG)}"
    if deployment.started_at and deployment.finished_at:
        yield f"Duration: {_duration(deployment.finished_at - deployment.started_at)}"
    yield f"Requested by: {_shown(deployment.actor)} ({_shown(deployment.trigger)})"


def _duration(took: timedelta) -> str:
    minutes, seconds = divmod(max(round(took.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _tone(kind: EventKind, reason: str | None) -> Literal["info", "success", "failure"]:
    if kind is EventKind.SUCCEEDED:
        return "success"
    return "failure" if kind is EventKind.FAILED and reason not in _EXPECTED else "info"


def _links(deployment: EventDeployment) -> Iterator[tuple[str, str]]:
    links = deployment.links
    if links.application:
        yield "Application", links.application
    if links.commit:
        yield "Commit", links.commit
    yield "Deployment", links.self
    yield "Log", links.log
    yield "Workflow", links.workflow


def _shown(text: str, longest: int = _SHORT) -> str:
    """Return text from outside on one line, so that it cannot look like another field."""
    return _cut(one_line(text, longest), longest)


def _cut(text: str, longest: int) -> str:
    """Return the text without control characters, which includes those of direction."""
    shown = text if text.isprintable() else one_line(printable(text), longest)
    return shown if len(shown) <= longest else shown[:longest] + CUT
