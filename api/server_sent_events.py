"""Answers as server-sent events."""

from collections.abc import AsyncIterator
from typing import Final

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

MEDIA_TYPE: Final = "text/event-stream"
#: Seconds of silence after which a comment tells reader and proxies that the stream is alive.
KEEPALIVE_SECONDS: Final = 15.0


def wants_events(request: Request) -> bool:
    return MEDIA_TYPE in request.headers.get("accept", "")


def event_stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type=MEDIA_TYPE)
