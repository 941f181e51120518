"""The receivers of docs/notifications.md verify what is sent, each with its language's library."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aweigh.notifications.senders.senders import Senders
from tests.support.notifying import SECRET, failure, notification, webhook
from tests.support.verifying import LANGUAGES, command

OTHER_SECRET = "whsec_" + "bm90LXRoZS1zZWNyZXQtb2YtdGhpcw=="


@asynccontextmanager
async def running(language: str, directory: Path) -> AsyncIterator[str]:
    """The address of a page's receiver."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *command(language, directory),
        env=os.environ | {"WEBHOOK_SECRET": SECRET, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        while True:
            assert process.returncode is None, "the receiver has ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            break
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_receiver_of_the_page_accepts_only_what_is_signed(
    senders: Senders, language: str, tmp_path: Path
) -> None:
    told = notification(payload='{"type": "deployment.failed", "data": {"name": "Käse ☃"}}')
    async with running(language, tmp_path) as url:
        got = await senders.send(webhook(url), (SECRET,), told)
        rotated = await senders.send(webhook(url), (OTHER_SECRET, SECRET), told)
        error = await failure(senders.send(webhook(url), (OTHER_SECRET,), told))

    assert (got.status, rotated.status, error.receipt.status) == (204, 204, 401)
