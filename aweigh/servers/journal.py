"""The server worker's reports to the API about deployments: step states and log lines.

Both are written to disk first, so that they survive an outage of the API and the death of the
worker, and are sent as soon as the API accepts them.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from aweigh.contract import StepReport
from aweigh.core import grammar
from aweigh.core.errors import (
    Conflict,
    Unavailable,
)
from aweigh.core.files import write_durably
from aweigh.core.text import printable
from aweigh.core.threads import in_thread
from aweigh.deployments.deployment import StepName
from aweigh.deployments.step_errors import StepFailed
from aweigh.secrets.value import OutputMask, mask_words
from aweigh.servers.api_client import Api

_CHUNK: Final = 256 * 1024
_PAUSE_SECONDS: Final = 1.0
#: How long a step waits at its end for its reports to be sent; they are on disk anyway.
_PATIENCE_SECONDS: Final = 3.0
#: Reports within this time are sent together; a shorter step is reported once, at its end.
_GATHER_SECONDS: Final = 0.1
_log = structlog.get_logger(__name__)


class Journal:
    """One directory per deployment: its `log`, that file's `base`, and unsent step reports.

    `output_bytes`: the length at which a log takes no more output of programs.
    """

    def __init__(self, directory: Path, api: Api, output_bytes: int = 64 * 1024**2) -> None:
        self._directory = directory
        self._api = api
        self._output_bytes = output_bytes
        self._wake = asyncio.Event()
        self._sent: dict[str, int] = {}
        self._printed: dict[str, OutputMask] = {}
        self._shipping = asyncio.Lock()

    def write(self, deployment_id: str, text: str, secrets: list[str]) -> None:
        """Append lines to a deployment's log, masked and with their time."""
        with self._noted(deployment_id):
            self._append(deployment_id, _stamped(mask_words(text, secrets).splitlines()))
        self._wake.set()

    def write_output(self, deployment_id: str, lines: list[str], secrets: list[str]) -> None:
        """Append a program's output: exactly one line for each line without its newline.

        A log that has reached its limit gets one line saying so, and no more output. Its length
        alone shows that it is full, even after a crash.
        """
        with self._noted(deployment_id):
            room = self._output_bytes - self.length(deployment_id)
            if room <= 0:
                return
            printed = self._printed.setdefault(deployment_id, OutputMask())
            stamped = _stamped(printed.masked(lines, secrets))
            if sum(map(len, stamped)) >= room:
                stamped = [*_filling(stamped, room), *_stamped([self._full])]
            self._append(deployment_id, stamped)
        self._wake.set()

    @property
    def _full(self) -> str:
        return (
            f"The log has reached its limit of {self._output_bytes} bytes for output and records "
            "no more of it; the work continues. Raise AWEIGH_LOG_BYTES of the server worker."
        )

    def _append(self, deployment_id: str, lines: list[bytes]) -> None:
        with (self._place(deployment_id) / "log").open("ab") as file:
            file.write(b"".join(lines))

    def length(self, deployment_id: str) -> int:
        """Return how many bytes of its log are kept here."""
        log = self._place(deployment_id) / "log"
        return log.stat().st_size if log.exists() else 0

    def lines_behind(self, deployment_id: str, length: int) -> list[str]:
        """Return the lines written since the log had this length, without their times."""
        log = self._place(deployment_id) / "log"
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(length)
            lines = file.read().decode(errors="replace").split("\n")[:-1]
        return [line.partition(" ")[2] for line in lines]

    def report(self, deployment_id: str, step: StepName, report: StepReport) -> None:
        """Report a step as soon as the API accepts it; a later report replaces an earlier one."""
        with self._noted(deployment_id):
            path = self._place(deployment_id) / f"{step}.step"
            # Renamed but not synced: it must survive this process, not the machine.
            temporary = path.with_suffix(".new")
            temporary.write_text(report.model_dump_json())
            temporary.replace(path)
        self._wake.set()

    @contextmanager
    def _noted(self, deployment_id: str) -> Iterator[None]:
        """Log errors of a full disk, which must not stop a step."""
        try:
            yield
        except OSError as error:
            _log.error("the journal cannot be written", deployment=deployment_id, error=str(error))

    async def flush(self, deployment_id: str) -> None:
        """Send everything of one deployment now, if the API answers quickly."""
        with suppress(Unavailable, Conflict, TimeoutError, OSError):
            async with asyncio.timeout(_PATIENCE_SECONDS), self._shipping:
                await self._ship(self._place(deployment_id))

    def _place(self, deployment_id: str) -> Path:
        place = self._directory / grammar.path_part(deployment_id)
        place.mkdir(parents=True, exist_ok=True)
        return place

    async def ship(self) -> None:
        """Send what is on disk, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_SECONDS):
                    await self._wake.wait()
                    await asyncio.sleep(_GATHER_SECONDS)
            self._wake.clear()
            for place in sorted(self._directory.iterdir()):
                try:
                    async with self._shipping:
                        await self._ship(place)
                except Unavailable:
                    break
                except (Conflict, OSError) as error:
                    # Only one deployment's log, or a full disk: continue with the others.
                    _log.warning("a log cannot be sent", deployment=place.name, error=str(error))

    async def _ship(self, place: Path) -> None:
        for path in sorted(place.glob("*.step")):
            text = path.read_text()
            # Suppressed: a report torn by a power failure, or of a deployment that has ended.
            with suppress(ValidationError, StepFailed):
                report = StepReport.model_validate_json(text)
                await self._api.report(place.name, StepName(path.stem), report)
            if path.read_text() == text:  # otherwise a newer report replaced it meanwhile
                path.unlink()
        try:
            await self._ship_log(place)
        except StepFailed as error:
            _log.warning("a log is dropped", deployment=place.name, error=str(error))
            self._discard(place)

    async def _ship_log(self, place: Path) -> None:
        log = place / "log"
        if not log.exists():
            return
        deployment_id = place.name
        if deployment_id not in self._sent:
            length = await self._api.append_log(deployment_id, 0, b"")
            await in_thread(lambda: self._continue(place, length))
        while (sent := self._sent[deployment_id]) < log.stat().st_size:
            with log.open("rb") as file:
                file.seek(sent)
                data = file.read(_CHUNK)
            base = int((place / "base").read_text())
            length = await self._api.append_log(deployment_id, base + sent, data)
            await in_thread(partial(self._continue, place, length))

    def _continue(self, place: Path, length: int) -> None:
        """Continue at the API's position, `length` bytes.

        The file begins at byte `base` of the whole log; what was before has been sent and removed.
        If the API has less than `base` (a restored database), or more than is here (a power
        failure), the file is taken to begin or end at the API's position, so that further lines are
        not lost.
        """
        file, size = place / "base", (place / "log").stat().st_size
        known = int(file.read_text()) if file.exists() else length
        base = min(max(known, length - size), length)
        if base != known or not file.exists():
            write_durably(file, str(base))
        self._sent[place.name] = length - base

    def deployments(self) -> list[str]:
        """Return the deployments with files."""
        return [place.name for place in self._directory.iterdir()]

    def forget(self, deployment_id: str) -> None:
        """Remove a deployment's files, if everything in them was sent."""
        place = self._directory / grammar.path_part(deployment_id)
        log = place / "log"
        if not place.exists() or list(place.glob("*.step")):
            return
        if log.exists() and self._sent.get(deployment_id) != log.stat().st_size:
            return
        self._discard(place)

    def _discard(self, place: Path) -> None:
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
        self._sent.pop(place.name, None)
        self._printed.pop(place.name, None)


def _stamped(lines: list[str]) -> list[bytes]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [f"{now} {printable(line)}\n".encode(errors="replace") for line in lines]


def _filling(lines: list[bytes], room: int) -> Iterator[bytes]:
    """Yield the lines that fill the room; the last one may exceed it."""
    for line in lines:
        if room <= 0:
            return
        room -= len(line)
        yield line
