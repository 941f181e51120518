"""Runs the child processes that send messages, not too many at a time."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from aweigh.notifications.senders.child_messages import Order, Report
from aweigh.notifications.senders.child_process import ask
from aweigh.notifications.senders.places import Places

_COMMAND: Final = (sys.executable, "-I", "-m", "aweigh.notifications.senders.apprise_child")
#: The child ends by itself: after 15 seconds, and those that a mail's server may take with it.
SECONDS: Final = 90.0
#: For a place among those that are sent at a time.
PATIENCE: Final = 180.0
_MOST_REPORTED: Final = 256 * 1024
#: Where OpenSSL looks for certificates; nothing else of the environment is passed on.
_PASSED_ON: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class ChildFailed(Exception):
    """The message was not sent, or the child ended without a report. `seconds`: it took so long."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class Children:
    """`command`: the program that takes an order and prints a report; it has so many `seconds`."""

    def __init__(
        self,
        command: Sequence[str] = _COMMAND,
        places: Places | None = None,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._places = places or Places(patience=PATIENCE)
        self._seconds = seconds

    async def send(self, target: str, order: Order) -> Report:
        """Run a child when there is a place. `target`: what may hang by itself.

        Raises:
            ChildFailed
        """
        async with contextlib.AsyncExitStack() as held:
            try:
                await held.enter_async_context(self._places.take(target))
            except TimeoutError:
                raise ChildFailed(
                    "The message was not sent yet: other receivers took too long to answer."
                ) from None
            began = time.monotonic()
            try:
                report = await self._run(order)
            except ChildFailed as error:
                error.seconds = time.monotonic() - began
                raise
            report.seconds = time.monotonic() - began
            return report

    async def _run(self, order: Order) -> Report:
        passed_on = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        question = json.dumps(order).encode()
        try:
            async with asyncio.timeout(self._seconds):
                answer = await ask(
                    self._command, question, most=_MOST_REPORTED, environment=passed_on
                )
        except TimeoutError:
            raise ChildFailed(
                f"The process that sends the message took more than {self._seconds:g} seconds."
            ) from None
        try:
            return Report(**json.loads(answer.printed))
        except (ValueError, TypeError) as error:
            raise ChildFailed(
                f"The process that sends the message ended with code {answer.code}."
            ) from error
