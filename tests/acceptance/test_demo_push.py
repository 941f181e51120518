"""The demo's push, as `scripts/up --demo` shows it."""

import shutil
from pathlib import Path

import pytest

from aweigh.core.settings import Settings
from examples.demo.__main__ import allowances
from examples.demo.builder.image import build_lifecycle
from examples.demo.push import PushDemo
from examples.demo.repository import served
from tests.support.builder import LIFECYCLE
from tests.support.stack import Stack, new_stack, stopped_afterwards

pytestmark = pytest.mark.docker


def settings_of(stack: Stack) -> Settings:
    names = ("data", "prefix", "api_port", "web_port")
    given = {name: stack.environment[f"AWEIGH_{name.upper()}"] for name in names}
    return Settings.model_validate(given)


async def test_every_push_of_the_demo_goes_live_and_opens_nothing_but_its_repository(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    build_lifecycle(LIFECYCLE)
    with served(tmp_path / "demo", "sample") as repository:
        shutil.copytree(LIFECYCLE, repository.root / "lifecycle")
        stack = new_stack(tmp_path)
        stack.environment.update(allowances(settings_of(stack), repository))
        async with stopped_afterwards(stack):
            demo = PushDemo(settings_of(stack), stack.token, repository, said.append)

            first, second = await demo.run(), await demo.run()
            refused = await stack.create(
                "refused", {"type": "git", "repository": f"http://127.0.0.1:{stack.web_port}/x"}
            )
            answer = await stack.deploy(refused)

    assert (first, second) == (True, True), "\n".join(said)
    assert f"The push is live on           http://demo-push.localhost:{stack.web_port}" in said
    assert any(line.startswith("It answers                    demo-push ") for line in said)
    assert "AWEIGH_PRIVATE_TARGETS" in answer.json()["detail"]
