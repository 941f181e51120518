"""`python -m examples.demo`: the local stack, and the demo once it is ready."""

import argparse
import asyncio
import json
import os
from collections.abc import Callable

from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from cli.output import say
from cli.up import run_stack
from examples.demo.names import DemoImages
from examples.demo.push import PushDemo
from examples.demo.repository import Repository, served
from examples.demo.swap import SwapDemo
from worker.process import INTERRUPTED, Stopped, run, unless_stopped
from worker.secrets import ADMIN, read_secret

#: The demo failed, or lost a request.
FAILED = 1


def main() -> None:
    """Run the stack in the foreground, with the demo; with --once, end after the demo."""
    parser = argparse.ArgumentParser(prog="scripts/up --demo")
    parser.add_argument("--once", action="store_true", help="end after the demo, with its result")
    once = parser.parse_args().once

    async def stack_and_demo(settings: Settings, stop: asyncio.Event) -> int:
        with served(settings.data / "demo", f"{settings.prefix}-demo") as repository:

            async def demo() -> int:
                code = await _exit_code_of_demo(settings, repository, stop)
                if once:
                    stop.set()
                return code

            environment = os.environ | allowances(settings, repository)
            return await run_stack(settings, stop, environment=environment, when_ready=demo)

    run(stack_and_demo)


def allowances(settings: Settings, repository: Repository) -> dict[str, str]:
    """Settings that let the stack read one port of this machine and trust one builder more."""
    targets = [*map(str, settings.private_targets), repository.target]
    builders = [*settings.trusted_builders, DemoImages(settings.prefix).builder]
    return {
        "AWEIGH_PRIVATE_TARGETS": json.dumps(targets),
        "AWEIGH_TRUSTED_BUILDERS": json.dumps(builders),
    }


async def _exit_code_of_demo(
    settings: Settings, repository: Repository, stop: asyncio.Event
) -> int:
    try:
        succeeded = await unless_stopped(_demonstrate(settings, repository, say), stop)
    except Stopped:
        return INTERRUPTED
    except AweighError as error:
        say(f"The demo failed: {error}")
        return FAILED
    return 0 if succeeded else FAILED


async def _demonstrate(
    settings: Settings, repository: Repository, say: Callable[[str], None]
) -> bool:
    token = read_secret(settings.tokens / ADMIN)
    swapped = await SwapDemo(settings, token, say).run()
    if os.geteuid() != 0 and not settings.allow_open_build_network:
        say("A push is not shown: builds need a server worker that runs as root,")
        say("or AWEIGH_ALLOW_OPEN_BUILD_NETWORK=true.")
        return swapped
    return await PushDemo(settings, token, repository, say).run() and swapped


if __name__ == "__main__":
    main()
