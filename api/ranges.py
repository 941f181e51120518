"""Byte ranges of a text (RFC 9110, section 14)."""

import re

from fastapi.responses import Response

_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")
_TYPE = "text/plain; charset=utf-8"


def ranged(data: bytes, wanted: str | None) -> Response:
    """The whole of it, or the one range asked for; anything else in the header is ignored."""
    headers = {"Accept-Ranges": "bytes"}
    bounds = _bounds(wanted or "", len(data))
    if bounds is None:
        return Response(data, 200, headers, _TYPE)
    first, last = bounds
    if first > last:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return Response(b"", 416, headers, _TYPE)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, headers, _TYPE)


def _bounds(wanted: str, size: int) -> tuple[int, int] | None:
    """First and last byte; the last lies before the first where there is nothing to give."""
    found = _RANGE.fullmatch(wanted)
    if not found or found["first"] == found["last"] == "":
        return None
    if not found["first"]:
        return max(size - int(found["last"]), 0), size - 1
    first, last = int(found["first"]), int(found["last"] or size)
    if found["last"] and last < first:  # not a range at all
        return None
    return first, min(last, size - 1)
