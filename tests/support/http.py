"""A plain HTTP server whose answers a test writes byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Server:
    """Answers every request with what `answer` makes of its head."""

    answer: Callable[[str], bytes]
    heads: list[str] = field(default_factory=list)
    port: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            writer.write(self.answer(head))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever only knocked has gone
        finally:
            writer.close()


def said(status: int, body: str = "", **headers: str) -> bytes:
    """An answer with this status."""
    fields = {"Content-Length": str(len(body.encode())), "Connection": "close"} | headers
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@asynccontextmanager
async def serving(answer: Callable[[str], bytes]) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
