"""What is answered while a part is away, and what is never read."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from api.app import create_app
from aweigh.core.ids import new_secret
from aweigh.core.settings import Settings
from aweigh.github.app import GitHub
from tests.support.api_caller import Caller, away, open_api
from tests.support.installation import Databases, open_store

MEGABYTE = 1024 * 1024


@pytest.fixture
async def file(databases: Databases) -> Path:
    return Path(make_url(databases.new()).database or "")


@pytest.fixture
async def fragile(file: Path, tmp_path: Path) -> AsyncIterator[Caller]:
    """A caller of an API whose database will be gone."""
    async with (
        open_store(f"sqlite+aiosqlite:///{file}") as store,
        open_api(store, tmp_path) as opened,
    ):
        yield opened


def remove(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


async def test_without_its_database_every_call_is_answered_503(fragile: Caller, file: Path) -> None:
    shop = await fragile.create()
    made = await fragile.deploy(shop)
    remove(file)

    for answer in (
        await fragile.hook(shop),
        await fragile.call("GET", "/v1/applications"),
        await fragile.call("GET", f"/v1/deployments/{made}"),
        await fragile.call("POST", "/v1/applications/shop/deployments", json={}),
        await fragile.client.get("/readyz"),
    ):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["type"] == "urn:aweigh:problem:unavailable"
        assert answer.json()["detail"] == "the database does not answer"
    assert (await fragile.client.get("/healthz")).status_code == 200
    assert not file.exists()


async def test_callers_are_not_told_what_the_driver_says(tmp_path: Path) -> None:
    token = {"Authorization": f"Bearer {new_secret('awg')}"}
    github = GitHub("https://api.github.com")
    async with open_store("postgresql+psycopg://someone@127.0.0.1:1/somewhere") as store:
        app = create_app(Settings(data=tmp_path), store, away, github)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        with capture_logs() as logs:
            async with httpx2.AsyncClient(transport=transport, base_url="http://aweigh") as client:
                answers = [
                    await client.get("/readyz"),
                    await client.post("/v1/events/hook_x", headers={"X-Deploy-Secret": "x"}),
                    await client.get("/v1/deployments", headers=token),
                ]

    assert [(one.status_code, one.json()["detail"]) for one in answers] == [
        (503, "the database does not answer")
    ] * 3
    [logged] = [one for one in logs if one["event"] == "the database does not answer"]
    assert "127.0.0.1" in logged["error"]


async def test_what_was_answered_503_was_not_taken(fragile: Caller, file: Path) -> None:
    shop = await fragile.create()
    backup = file.read_bytes()
    for path in file.parent.glob(f"{file.name}-wal"):
        backup_of_log = path.read_bytes()
        wal = path
    remove(file)
    assert (await fragile.hook(shop)).status_code == 503

    file.write_bytes(backup)
    wal.write_bytes(backup_of_log)

    assert (await fragile.get("/v1/deployments"))["items"] == []
    assert (await fragile.hook(shop)).status_code == 202


@pytest.mark.parametrize("path", ["/v1/applications", "/v1/events/hook_x", "/v1/nowhere"])
async def test_a_body_that_is_too_large_is_refused(caller: Caller, path: str) -> None:
    answer = await caller.call("POST", path, content=b" " * (MEGABYTE + 1))

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:aweigh:problem:too_large", "title": "Request Entity Too Large",
        "status": 413, "detail": "The body is too large.",
    }  # fmt: skip


async def test_a_body_that_does_not_tell_its_length_is_counted(caller: Caller) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65536

    answer = await caller.hook(await caller.create(), content=endless())

    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:aweigh:problem:too_large"


async def test_a_body_of_exactly_a_megabyte_is_read(caller: Caller) -> None:
    assert (await caller.hook(await caller.create(), content=b" " * MEGABYTE)).status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("DELETE", "/v1/applications", 405, "method_not_allowed"),
    ],
)
async def test_errors_have_one_form(
    caller: Caller, method: str, path: str, status: int, kind: str
) -> None:
    answer = await caller.call(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:aweigh:problem:{kind}"


async def test_a_method_that_is_not_allowed_tells_which_are(caller: Caller) -> None:
    answer = await caller.call("DELETE", "/v1/applications")

    assert set(answer.headers["allow"].split(", ")) >= {"GET"}


async def test_an_error_of_ours_has_the_same_form_and_tells_nothing(caller: Caller) -> None:
    async def broken() -> None:
        raise RuntimeError("correct-horse")

    caller.app.add_api_route("/v1/broken", broken)

    answer = await caller.call("GET", "/v1/broken")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:aweigh:problem:internal", "title": "Internal Server Error", "status": 500,
        "detail": "An unexpected error occurred; see the log of the API.",
    }  # fmt: skip
