"""Events: listed, streamed, and described for receivers of webhooks."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from api.dependencies import Context, Reader
from api.event_stream import EventStream
from api.server_sent_events import event_stream, wants_events
from aweigh.core import grammar
from aweigh.core.model import Written
from aweigh.deployment_answer import Answer
from aweigh.deployments.deployment import EventKind
from aweigh.notifications.event_payload import EventPayload, event_payload
from aweigh.store import applications, events
from aweigh.store.events import Filter

router = APIRouter(prefix="/v1/events", tags=["events"])
webhooks = APIRouter()
_PAGE: Final = 50

_EventId = Annotated[str, Written(grammar.EVENT_ID, "is not the id of an event")]


class ListedEvent(EventPayload):
    id: str


class EventPage(Answer):
    items: list[ListedEvent]
    next: str | None


@router.get("", responses={200: {"model": EventPage}})
async def list_events(
    context: Context,
    _: Reader,
    request: Request,
    application: str | None = None,
    kind: Annotated[list[EventKind] | None, Query()] = None,
    before: Annotated[_EventId | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = _PAGE,
    last_event_id: Annotated[_EventId | None, Header()] = None,
) -> Response:
    """Newest first; with `Accept: text/event-stream`, as a stream of those after `Last-Event-ID`.

    A stream without `Last-Event-ID` begins with the next event.
    """
    async with context.store.read() as tx:
        owner = None
        if application:
            owner = (await applications.find_row(tx, application, or_removed=True)).id
        wanted = Filter(owner, frozenset(kind or ()))
        if wants_events(request):
            newest = await events.newest(tx)
            # A higher id than the newest is one of before the database was restored.
            return _stream(context, wanted, min(int(last_event_id or newest), newest))
        found = await events.page(tx, wanted, before=int(before) if before else None, limit=limit)
    items = [
        ListedEvent(id=str(one.id), **dict(event_payload(one, context.settings))) for one in found
    ]
    page = EventPage(items=items, next=items[-1].id if len(items) == limit else None)
    return Response(page.model_dump_json(), media_type="application/json")


def _stream(context: Context, wanted: Filter, position: int) -> Response:
    context.followers.check_capacity()
    stream = EventStream(followers=context.followers, settings=context.settings, wanted=wanted)
    return event_stream(stream.follow(position))


async def _receive(body: EventPayload) -> dict[str, Any]:
    """Answer any status from 200 to 299; everything else is a delivery that failed."""
    return {}


for _kind in EventKind:
    webhooks.post(_kind, name=_kind, operation_id=_kind, tags=["events"])(_receive)
