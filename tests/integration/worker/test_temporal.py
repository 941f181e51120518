"""The connection to Temporal: in the clear on loopback, over mutual TLS elsewhere."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from tests.support.command_line import aweigh
from tests.support.stage import start_temporal
from tests.support.tls import certificates, mutual_tls
from worker.installation import install
from worker.stack import Stack
from worker.temporal import connect, tls_of


async def test_a_temporal_behind_mutual_tls_is_reached_with_a_certificate_only(
    tmp_path: Path,
) -> None:
    made = certificates(tmp_path)
    async with await start_temporal() as temporal:
        target = temporal.client.service_client.config.target_host
        async with mutual_tls(target, made) as address:
            trusting = Settings(
                data=tmp_path, temporal_address=address, temporal_tls_ca_file=made.authority
            )
            known = trusting.model_copy(
                update={
                    "temporal_tls_cert_file": made.certificate,
                    "temporal_tls_key_file": made.key,
                }
            )

            client = await connect(known)

            await client.workflow_service.get_system_info(GetSystemInfoRequest())
            for refused in (trusting, Settings(data=tmp_path, temporal_address=address)):
                with pytest.raises(RuntimeError):
                    await connect(refused)


def test_without_files_nothing_is_secured(tmp_path: Path) -> None:
    assert tls_of(Settings(data=tmp_path)) is False


def test_a_file_that_is_missing_refuses_the_start(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, temporal_tls_ca_file=tmp_path / "none.pem")

    with pytest.raises(StartupError, match=r"cannot read .*none\.pem: No such file"):
        tls_of(settings)


@pytest.mark.parametrize("process", [["api"], ["worker", "control"]])
async def test_a_process_does_not_start_without_its_certificates(
    tmp_path: Path, process: list[str]
) -> None:
    await install(Settings(data=tmp_path))

    ended = await aweigh(
        *process, AWEIGH_DATA=str(tmp_path), AWEIGH_TEMPORAL_TLS_CA_FILE="/none.pem"
    )

    assert (ended.code, ended.errors) == (
        3, "aweigh: cannot read /none.pem: No such file or directory\n"
    )  # fmt: skip


def test_the_local_stack_speaks_no_tls(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="AWEIGH_TEMPORAL_TLS_"):
        Stack(Settings(data=tmp_path, temporal_tls_ca_file=tmp_path / "ca.pem"))


@pytest.mark.parametrize("process", ["control", "server"])
async def test_a_process_that_waits_for_temporal_can_be_stopped(
    tmp_path: Path, process: str
) -> None:
    await install(Settings(data=tmp_path))
    log = tmp_path / "log"
    environment = {key: one for key, one in os.environ.items() if not key.startswith("AWEIGH_")}
    environment |= {"AWEIGH_DATA": str(tmp_path), "AWEIGH_TEMPORAL_ADDRESS": "127.0.0.1:9"}
    with log.open("wb") as output:
        waiting = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", "worker", process,
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
    async with asyncio.timeout(300):
        while "waiting for" not in log.read_text():
            await asyncio.sleep(0.05)

        waiting.terminate()

        assert await waiting.wait() == 0, log.read_text()
