"""An HTTP/1.1 answer, parsed as its bytes arrive.

Only as much of HTTP as judging takes: which status, whose answer, and whether all of it came.
"""

from __future__ import annotations

from collections.abc import Generator

# No head and no chunk size is this long; a server that never ends one must not fill the memory.
LINE_LIMIT = 64 * 1024


class MalformedAnswerError(Exception):
    """What came is not HTTP/1.1."""


class Answer:
    __slots__ = (
        "_buffer", "_is_to_head", "_steps", "complete", "ends_at_close", "keep_alive", "name",
        "status", "version",
    )  # fmt: skip

    def __init__(self, *, is_to_head: bool = False) -> None:
        self.complete = False
        self.ends_at_close = False
        self.keep_alive = False
        self.status = 0
        self.name: str | None = None
        self.version: str | None = None
        self._is_to_head = is_to_head
        self._buffer = b""
        self._steps = self._parse()

    @property
    def begun(self) -> bool:
        return self.status != 0 or self._buffer != b""

    def feed(self, data: bytes) -> None:
        self._buffer += data
        try:
            next(self._steps)
        except StopIteration:
            self.complete = True
            # Nobody asked for what follows, so nothing on this connection can be trusted.
            self.keep_alive = self.keep_alive and not self._buffer

    def _parse(self) -> Generator[None]:
        """Each step waits for more bytes; the answer is complete when there are no more steps."""
        headers = self._read_head((yield from self._take_until(b"\r\n\r\n")))
        if self._is_to_head or self.status in {204, 304}:
            return
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            yield from self._skip_chunks()
        elif b"content-length" in headers:
            yield from self._skip(_number(headers[b"content-length"], base=10))
        else:
            yield from self._skip_until_close()

    def _read_head(self, head: bytes) -> dict[bytes, bytes]:
        first, *lines = head.split(b"\r\n")
        if not first.startswith(b"HTTP/1."):
            raise MalformedAnswerError(f"an answer cannot begin with {first[:40]!r}")
        fields = (line.partition(b":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        self.status = _number(first[9:12], base=10)
        self.keep_alive = headers.get(b"connection", b"").lower() != b"close"
        self.name = _text(headers.get(b"x-name"))
        self.version = _text(headers.get(b"x-version"))
        return headers

    def _skip_chunks(self) -> Generator[None]:
        while size := _number((yield from self._take_until(b"\r\n")).split(b";")[0], base=16):
            yield from self._skip(size)
            if (yield from self._take_until(b"\r\n")):
                raise MalformedAnswerError("a chunk is longer than its size")
        while (yield from self._take_until(b"\r\n")):
            pass  # trailers

    def _skip_until_close(self) -> Generator[None]:
        self.ends_at_close = True
        self.keep_alive = False
        while True:
            self._buffer = b""
            yield

    def _skip(self, count: int) -> Generator[None]:
        while len(self._buffer) < count:
            count -= len(self._buffer)
            self._buffer = b""
            yield
        self._buffer = self._buffer[count:]

    def _take_until(self, end: bytes) -> Generator[None, None, bytes]:
        while (position := self._buffer.find(end)) < 0:
            if len(self._buffer) > LINE_LIMIT:
                raise MalformedAnswerError(f"no {end!r} within {LINE_LIMIT} bytes")
            yield
        taken = self._buffer[:position]
        self._buffer = self._buffer[position + len(end) :]
        return taken


def _number(digits: bytes, *, base: int) -> int:
    try:
        number = int(digits, base)
    except ValueError:
        raise MalformedAnswerError(f"not a number: {digits[:40]!r}") from None
    if number < 0:
        raise MalformedAnswerError(f"a negative number: {number}")
    return number


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
