"""Who calls, where a web server stands in between."""

import asyncio
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from aweigh.core.settings import Settings
from tests.support.ports import free_ports
from worker.api import configured


async def seen(settings: Settings, forwarded: str) -> str:
    """The address that the application is told."""
    addresses: list[str] = []

    async def app(scope: Any, _: Any, send: Any) -> None:
        if scope["type"] == "http":
            addresses.append(scope["client"][0])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    server = uvicorn.Server(configured(app, settings))
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    async with httpx2.AsyncClient(trust_env=False) as client:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        await client.get(settings.api_base, headers=headers)
    server.should_exit = True
    await running
    return addresses[0]


@pytest.mark.parametrize(("proxies", "forwarded", "address"), [
    (None, "", "127.0.0.1"),
    (None, "192.0.2.7", "192.0.2.7"),
    (None, "203.0.113.9, 192.0.2.7", "192.0.2.7"),
    (["127.0.0.1/32", "192.0.2.0/24"], "203.0.113.9, 192.0.2.7", "203.0.113.9"),
    ([], "192.0.2.7", "127.0.0.1"),
    (["10.0.0.0/8"], "192.0.2.7", "127.0.0.1"),
])  # fmt: skip
async def test_a_caller_is_who_a_trusted_web_server_says(
    tmp_path: Path, proxies: list[str] | None, forwarded: str, address: str
) -> None:
    chosen: dict[str, Any]
    chosen = {} if proxies is None else {"api_trusted_proxies": tuple(map(ip_network, proxies))}
    settings = Settings(data=tmp_path, api_port=free_ports(1)[0], **chosen)

    assert await seen(settings, forwarded) == address
