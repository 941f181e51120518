"""Byte ranges of a text (RFC 9110, section 14)."""

import re
from collections.abc import AsyncIterator, Callable

from fastapi.responses import Response, StreamingResponse

_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")
_TYPE = "text/plain; charset=utf-8"


def ranged(
    length: int, wanted: str | None, read: Callable[[int, int], AsyncIterator[bytes]]
) -> Response:
    """Answer the whole text, or the one requested range; any other header is ignored.

    `read` gives the bytes from the first offset up to the second.
    """
    headers = {"Accept-Ranges": "bytes"}
    bounds = _bounds(wanted or "", length)
    first, last = bounds or (0, length - 1)
    if bounds and first > last:
        headers["Content-Range"] = f"bytes */{length}"
        return Response(b"", 416, headers, _TYPE)
    if bounds:
        headers["Content-Range"] = f"bytes {first}-{last}/{length}"
    headers["Content-Length"] = str(last + 1 - first)
    return StreamingResponse(read(first, last + 1), 206 if bounds else 200, headers, _TYPE)


def _bounds(wanted: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte; the last is below the first if the range is empty."""
    found = _RANGE.fullmatch(wanted)
    if not found or found["first"] == found["last"] == "":
        return None
    if not found["first"]:
        return max(size - int(found["last"]), 0), size - 1
    first, last = int(found["first"]), int(found["last"] or size)
    if found["last"] and last < first:  # not a valid range
        return None
    return first, min(last, size - 1)
