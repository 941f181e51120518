"""The server worker's side of the contract: what the API's answers mean to it."""

from collections.abc import Callable

import httpx2
import pytest

from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER, Lease, StepReport
from aweigh.core.errors import (
    Conflict,
    Unavailable,
)
from aweigh.deployments.deployment import Reason, StepName, StepState
from aweigh.deployments.step_errors import StepFailed
from aweigh.servers.api_client import Api

REPORT = StepReport(state=StepState.RUNNING, run_id="run-1", attempt=1)
LEASE = Lease(identity="identity-1", boot="boot-1", worker_version="1")


def api_that(answer: Callable[[httpx2.Request], httpx2.Response]) -> Api:
    transport = httpx2.MockTransport(answer)
    return Api("http://127.0.0.1:8700", "awg_t", "identity-1", "boot-1", transport)


def answering(status: int, **body: object) -> Api:
    return api_that(lambda _: httpx2.Response(status, json=body))


async def test_every_call_says_who_asks_and_as_which_machine() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"length": 0})

    await api_that(answer).append_log("dep_1", 7, b"x")

    (request,) = seen
    assert str(request.url) == "http://127.0.0.1:8700/v1/worker/releases/dep_1/log?offset=7"
    assert request.headers["authorization"] == "Bearer awg_t"
    assert request.headers[IDENTITY_HEADER] == "identity-1"
    assert request.headers[BOOT_HEADER] == "boot-1"


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ReadTimeout, httpx2.ReadError])
async def test_an_api_that_does_not_answer_is_away(error: type[httpx2.HTTPError]) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise error("gone")

    with pytest.raises(Unavailable, match=f"does not answer \\({error.__name__}\\)"):
        await api_that(answer).inventory()


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_api_in_trouble_is_away(status: int) -> None:
    with pytest.raises(Unavailable, match=f"the API answered {status}"):
        await answering(status).lease(LEASE)


async def test_a_name_that_another_one_holds_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="held by another"):
        await answering(409, detail="the name is held by another").lease(LEASE)


async def test_a_release_that_is_gone_ends_the_step() -> None:
    with pytest.raises(StepFailed) as caught:
        await answering(404).release("dep_1")

    assert caught.value.reason is Reason.SUPERSEDED


async def test_a_report_of_what_has_ended_ends_the_step() -> None:
    with pytest.raises(StepFailed, match="ended as failed") as caught:
        await answering(410, detail="ended as failed").report("dep_1", StepName.PULL, REPORT)

    assert caught.value.reason is Reason.CANCELLED


@pytest.mark.parametrize("status", [200, 409])
async def test_the_length_of_a_log_is_told_either_way(status: int) -> None:
    assert await answering(status, length=42).append_log("dep_1", 7, b"x") == 42


async def test_a_log_that_is_refused_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="held by another"):
        await answering(409, detail="held by another").append_log("dep_1", 0, b"x")


@pytest.mark.parametrize("status", [401, 403, 404, 422])
async def test_every_other_refusal_is_a_conflict(status: int) -> None:
    with pytest.raises(Conflict, match=f"the API rejected the request \\({status}\\): no"):
        await answering(status, detail="no").inventory()


@pytest.mark.parametrize("status", [200, 302, 401, 409])
@pytest.mark.parametrize("text", ["<html>", "[]", '"x"'])
async def test_an_answer_of_something_else_is_no_crash(status: int, text: str) -> None:
    # A captive portal, or a proxy that was set up wrongly, answers in place of the API.
    api = api_that(lambda _: httpx2.Response(status, text=text))

    for call in (api.append_log("dep_1", 0, b"x"), api.inventory(), api.release("dep_1")):
        with pytest.raises((Conflict, Unavailable)):
            await call
