"""A whole stack of its own for a test: real processes, own data, own ports, own name prefix."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import psutil
from temporalio.client import Client

from tests.support import stack_logs
from tests.support.leftovers import remove_leftovers
from tests.support.ports import free_ports
from tests.support.signals import send_signal
from tests.support.stalls import forget_file, watch_file

START_SECONDS = 300
_PARTS = ("up", "api", "control", "server")
_PORTS = (
    "AWEIGH_API_PORT",
    "AWEIGH_TEMPORAL_UI_PORT",
    "AWEIGH_WEB_PORT",
    "AWEIGH_WEB_SECURE_PORT",
    "AWEIGH_PROXY_API_PORT",
    "AWEIGH_PROXY_PROBE_PORT",
)


@dataclass
class Stack:
    """A running `aweigh up` and a client for its API."""

    environment: dict[str, str]
    data: Path
    process: asyncio.subprocess.Process | None = None
    client: httpx2.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx2.AsyncClient(base_url=self.api_url, timeout=900, trust_env=False)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['AWEIGH_API_PORT']}"

    @property
    def stalls(self) -> Path:
        """Where its processes write what blocked their event loops."""
        return Path(self.environment["AWEIGH_STALLS_FILE"])

    @property
    def web_port(self) -> int:
        return int(self.environment["AWEIGH_WEB_PORT"])

    @property
    def prefix(self) -> str:
        return self.environment["AWEIGH_PREFIX"]

    @property
    def temporal_address(self) -> str:
        return self.environment["AWEIGH_TEMPORAL_ADDRESS"]

    @property
    def token(self) -> str:
        return (self.data / "tokens" / "admin").read_text().strip()

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        await self.launch()
        await self.ready()

    async def launch(self) -> None:
        """Start it, no more."""
        self.data.mkdir(parents=True, exist_ok=True)
        watch_file(self.stalls)
        with (self.data / "up.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "up",
                env=dict(self.environment), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def ready(self) -> None:
        """Wait until it serves."""
        assert self.process is not None
        async with asyncio.timeout(START_SECONDS):
            while not await self._serving():
                assert self.process.returncode is None, self.output()
                await asyncio.sleep(0.1)

    async def _serving(self) -> bool:
        serving = self.data / "server" / "serving"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            pid = serving.read_text()
            children = map(str, self.children())
            if pid in children and psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE:
                with contextlib.suppress(httpx2.HTTPError):
                    answer = await self.client.get("/readyz")
                    return answer.is_success and bool(answer.json()["temporal"])
        return False

    def output(self) -> str:
        """What every part of it wrote."""
        files = [self.data / "up.log", *sorted((self.data / "logs").glob("*.log"))]
        return "\n".join(f"== {one}\n{one.read_text()}" for one in files if one.exists())

    def pids(self) -> dict[str, int]:
        """The process ids of its parts, by name."""
        found = {pid: part for pid in psutil.pids() if (part := self._part(pid))}
        # A part that starts a program is there twice, until its child becomes that program.
        return {part: pid for pid, part in found.items() if found.get(_parent(pid)) != part}

    def _part(self, pid: int) -> str | None:
        """Which part of this stack a process is."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return None
        if f"AWEIGH_DATA={self.data}\0" not in variables:
            return None
        if "start-dev" in words:
            return "temporal"
        if "cli.main" not in words:
            return None
        last = [word for word in words if word][-1]
        return last if last in _PARTS else None

    def kill(self, *parts: str, by: signal.Signals = signal.SIGKILL) -> None:
        """`kill -9`, all of them at once.

        Returns when they have ended: until then they look as if they still served.
        """
        pids = self.pids()
        send_signal([pids[part] for part in parts or tuple(pids)], by)

    def children(self) -> list[int]:
        """The process ids of all its parts but `up`, found at once."""
        assert self.process is not None
        threads = Path(f"/proc/{self.process.pid}/task")  # Linux lists them by who started them
        listed = [(one / "children").read_text() for one in threads.iterdir()]
        return [int(pid) for pids in listed for pid in pids.split()]

    async def crash(self) -> None:
        """`kill -9` of everything; the engine, the proxy and the applications live on."""
        self.kill()
        assert self.process is not None
        await self.process.wait()

    async def stop(self) -> int:
        """Ctrl-C; the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        return await self.process.wait()

    async def call(
        self, method: str, path: str, *, token: str | None = None, **options: Any
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"} | options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)

    async def create(self, name: str, source: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
        """An application; asserts that it was taken."""
        answer = await self.call(
            "POST", "/v1/applications", json={"name": name, "source": source, **settings}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def deploy(
        self, application: Mapping[str, Any], tag: str | None = None, *,
        wait: int = 600, key: str = "",
    ) -> httpx2.Response:  # fmt: skip
        """Call the deploy hook, as CI would: again where a busy machine asks for that."""
        headers = {"X-Deploy-Secret": application["deploy_secret"]}
        if key:
            headers["Idempotency-Key"] = key
        while True:
            answer = await self.client.post(
                f"/v1/events/{application['deploy_hook']}",
                params={"wait": wait} | ({"tag": tag} if tag else {}),
                headers=headers,
                timeout=wait + 30,
            )
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                return answer
            await asyncio.sleep(int(answer.headers["Retry-After"]))

    async def deployment(self, deployment_id: str, *, wait: int = 0) -> dict[str, Any]:
        path = f"/v1/deployments/{deployment_id}"
        answer = await self.call("GET", path, params={"wait": wait}, timeout=wait + 30)
        body = dict(answer.json())
        return dict(body["deployment"]) if answer.status_code == 424 else body

    async def end_of(self, deployment_id: str) -> dict[str, Any]:
        """The deployment once it has ended, however long a busy machine takes for it."""
        while True:
            shown = await self.deployment(deployment_id, wait=60)
            if shown.get("state") in ("succeeded", "failed"):
                return shown
            await asyncio.sleep(0.1)  # all places to wait in may be taken

    async def workflow_of(self, deployment_id: str) -> str:
        """The id of a deployment's workflow in Temporal."""
        return str((await self.deployment(deployment_id))["workflow"]["id"])

    async def until_gone(self, application: Mapping[str, Any]) -> None:
        """Wait for the end of an application's removal."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                answer = await self.call("GET", f"/v1/applications/{application['id']}")
                if answer.status_code == 404:
                    return
                await asyncio.sleep(0.1)

    async def temporal(self) -> Client:
        """A client of its Temporal."""
        return await Client.connect(self.temporal_address, namespace="aweigh")

    async def log(self, deployment_id: str) -> str:
        return (await self.call("GET", f"/v1/deployments/{deployment_id}/log")).text


def _parent(pid: int) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).ppid()
    return 0  # which is no process's


def new_stack(directory: Path, **settings: str) -> Stack:
    """A stack that is not started yet."""
    name = f"t{secrets.token_hex(3)}"
    data = directory / name
    ports = free_ports(len(_PORTS) + 1)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWEIGH_")},
        # Without cached bytecode every process of a stack takes seconds to start.
        "PYTHONDONTWRITEBYTECODE": "",
        "GOMAXPROCS": "1",  # of Temporal, which takes a fifth more time of processors with two
        "AWEIGH_DATA": str(data),
        "AWEIGH_STALLS_FILE": str(data / "stalls.jsonl"),
        "AWEIGH_KEEPS_PRIORITY": "yes",  # other stacks and tests run here, which do not give way
        "AWEIGH_PREFIX": name,
        "AWEIGH_TEMPORAL_ADDRESS": f"127.0.0.1:{ports[-1]}",
        **{key: str(port) for key, port in zip(_PORTS, ports, strict=False)},
        "AWEIGH_BRANCH_POLL_SECONDS": "0",  # tests push what nothing but they shall deploy
        # The machine may be small and full; tests that are about the reserve set their own.
        "AWEIGH_DISK_RESERVE_BYTES": str(200 * 1024**2),
        "AWEIGH_DISK_RESERVE_PERCENT": "0",
        **settings,
    }
    return Stack(environment, data)


@asynccontextmanager
async def running_stack(directory: Path, **settings: str) -> AsyncIterator[Stack]:
    """A stack that runs, and of which nothing is left afterwards."""
    stack = new_stack(directory, **settings)
    async with stopped_afterwards(stack):
        yield stack


@asynccontextmanager
async def stopped_afterwards(stack: Stack) -> AsyncIterator[None]:
    """The stack runs inside the block, and nothing of it is left behind it."""
    try:
        await stack.start()
        yield
    except BaseException:
        stack_logs.keep(stack.data)
        raise
    finally:
        if stack.process and stack.process.returncode is None:
            await stack.stop()
        await stack.client.aclose()
        remove_leftovers(stack.prefix)
        forget_file(stack.stalls)
        shutil.rmtree(stack.data, ignore_errors=True)
