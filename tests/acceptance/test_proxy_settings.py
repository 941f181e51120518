"""Settings of the proxy that change while it runs."""

import asyncio
import sys
from pathlib import Path

import docker
import pytest

from examples.demo.image import make_image
from tests.support.images import temporary_repository
from tests.support.outside import ask, until
from tests.support.ports import free_ports
from tests.support.stack import new_stack, stopped_afterwards

pytestmark = pytest.mark.docker


async def test_changed_settings_are_told_and_one_command_applies_them(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    stack = new_stack(tmp_path)
    with temporary_repository(engine) as repository:
        make_image(engine, repository=repository, tag="v1", environment={"NAME": "moved"})
        async with stopped_afterwards(stack):
            source = {"type": "image", "image": repository, "tag": "v1"}
            domains = [{"host": "moved.localhost", "tls": False}]
            app = await stack.create("moved", source, domains=domains)
            assert (await stack.deploy(app)).status_code == 200
            await stack.stop()
            old, [new] = stack.web_port, free_ports(1)
            stack.environment["AWEIGH_WEB_PORT"] = str(new)
            await stack.start()

            async def logged() -> bool:
                return "aweigh proxy recreate" in (stack.data / "logs" / "server.log").read_text()

            await until(logged)
            refused = (await stack.deploy(app)).json()["deployment"]
            stack.environment["AWEIGH_WEB_PORT"] = str(old)
            still_there = await ask(stack, "moved.localhost")
            stack.environment["AWEIGH_WEB_PORT"] = str(new)
            command = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "proxy", "recreate", env=stack.environment
            )
            assert await command.wait() == 0
            moved = await ask(stack, "moved.localhost")
            deployed = await stack.deploy(app)

    assert (refused["reason"], refused["steps"][0]["state"]) == ("start_failed", "failed")
    assert "aweigh proxy recreate" in refused["message"]
    assert still_there.is_success
    assert moved.is_success
    assert deployed.status_code == 200
