"""Checks addresses of channels by apprise itself, in a child process."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Final

from aweigh.core.errors import Unavailable
from aweigh.notifications.senders.apprise_schemas import MODULES
from aweigh.notifications.senders.child_messages import Acceptance, AddressQuestion
from aweigh.notifications.senders.child_process import ask

_COMMAND: Final = (sys.executable, "-I", "-m", "aweigh.notifications.senders.apprise_check")
#: With the wait for others' checks; one takes half a second of a processor.
_SECONDS: Final = 15.0
_AT_ONCE: Final = 2
_MOST_REPORTED: Final = 4096


class AddressChecks:
    """`command`: the program that takes a question and prints an answer."""

    def __init__(self, command: Sequence[str] = _COMMAND, *, seconds: float = _SECONDS) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def check(self, url: str) -> Acceptance:
        """Return what apprise makes of the address, one of an allowed schema.

        Raises:
            Unavailable: it cannot be known now.
        """
        module = MODULES[url.partition("://")[0].lower()]
        question = AddressQuestion(module=module, url=url)
        try:
            async with asyncio.timeout(self._seconds), self._slots:
                answer = await ask(
                    self._command, json.dumps(question).encode(), most=_MOST_REPORTED
                )
        except TimeoutError:
            raise Unavailable(
                f"The address could not be checked within {self._seconds:g} seconds; nothing was "
                "stored. Retry."
            ) from None
        try:
            return Acceptance(**json.loads(answer.printed))
        except (ValueError, TypeError) as error:
            raise Unavailable(
                "The address could not be checked: the process that asks apprise ended without an "
                "answer; nothing was stored. Retry."
            ) from error
