from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Behaviour = Callable[[Reader, Writer], Awaitable[None]]
Serve = Callable[[Behaviour], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Treat every connection with a behaviour; return the URL."""
    async with AsyncExitStack() as stack:

        async def start(behave: Behaviour) -> str:
            async def handle(reader: Reader, writer: Writer) -> None:
                try:
                    await behave(reader, writer)
                except (asyncio.IncompleteReadError, ConnectionError):
                    pass  # the load was the first to go
                finally:
                    writer.close()

            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            host, port = server.sockets[0].getsockname()
            return f"http://{host}:{port}"

        yield start
