"""Byte ranges of a text (RFC 9110, section 14)."""

import re

from fastapi.responses import Response

_RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")
_TYPE = "text/plain; charset=utf-8"


def ranged(data: bytes, wanted: str | None) -> Response:
    """The whole of it, or the one range asked for; anything else in the header is ignored."""
    headers = {"Accept-Ranges": "bytes"}
    found = _RANGE.fullmatch(wanted or "")
    if not found or not (found["first"] or found["last"]):
        return Response(data, 200, headers, _TYPE)
    if found["first"]:
        first = int(found["first"])
        last = min(int(found["last"] or len(data)), len(data) - 1)
    else:
        first, last = max(len(data) - int(found["last"]), 0), len(data) - 1
    if first > last:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return Response(b"", 416, headers, _TYPE)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, headers, _TYPE)
