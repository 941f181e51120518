"""Signals to processes that are not the test's own children."""

import os
import select
import signal
from collections.abc import Iterable
from contextlib import ExitStack, suppress


def send_signal(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to all of them; after SIGKILL, wait until they have ended."""
    with ExitStack() as opened:
        handles = []
        for pid in pids:
            with suppress(ProcessLookupError):
                handles.append(os.pidfd_open(pid))
                opened.callback(os.close, handles[-1])
                signal.pidfd_send_signal(handles[-1], number)
        for handle in handles if number == signal.SIGKILL else ():
            select.select([handle], [], [])  # readable once the process has ended
