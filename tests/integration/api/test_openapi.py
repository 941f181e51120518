"""The API's document tells the truth: a fuzz over every call in it finds nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from api import server_workers
from aweigh.contract import BOOT_HEADER, IDENTITY_HEADER
from tests.integration.api.test_wrong_types import SETTINGS, changed, places
from tests.support.api_caller import Caller, open_api
from tests.support.installation import Databases, open_store

EXAMPLES = 6
#: Of calls with a body, which more can be wrong with.
BODY_EXAMPLES = 10
PROBLEM = "application/problem+json"
GOOD = {"name": "shop", "server": "local"} | SETTINGS
CHANNEL = {"name": "ops", "kind": "webhook", "url": "https://hooks.example.com/"}
HOLDER = {IDENTITY_HEADER: "identity", BOOT_HEADER: "boot"}


@pytest.fixture
async def caller(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Caller]:
    """One whose document has the calls of server workers too, and who may fail often."""
    for route in server_workers.router.routes:
        monkeypatch.setattr(route, "include_in_schema", True)
    async with (
        open_store(databases.new()) as store,
        open_api(store, tmp_path, api_failures_a_minute=0) as opened,
    ):
        yield opened


def generated(document: dict[str, Any]) -> Iterator[tuple[Case[Any], bool]]:
    """Calls that fit the document and calls that do not, the same ones each time.

    Those that take something away come last.
    """
    found: list[Case[Any]] = []
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        most = BODY_EXAMPLES if operation.body else EXAMPLES
        for mode in GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)
            # Hypothesis reads the source of what it calls, which a built-in method has none of.
            collect = given(strategy)(lambda case: found.append(case))
            bounded = settings(
                max_examples=most, derandomize=True, database=None, deadline=None,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate],
            )  # fmt: skip
            try:
                bounded(collect)()
            except Unsatisfiable:  # a call without anything that could be wrong
                continue
    found.sort(key=lambda case: case.method == "DELETE" or case.path.endswith("/rotate"))
    for number, case in enumerate(found):
        yield case, number % 3 > 0


async def known(caller: Caller) -> dict[str, str]:
    """Things that are there, by the names that paths have for them."""
    made = await caller.create()
    lease = {"identity": "identity", "boot": "boot", "worker_version": "1"}
    assert (await caller.call("POST", "/v1/worker/lease", scope="server", json=lease)).is_success
    channel = (await caller.call("POST", "/v1/channels", json=CHANNEL)).json()["id"]
    delivery = (await caller.call("POST", f"/v1/channels/{channel}/test?wait=0")).json()["id"]
    return {
        "channel": channel, "delivery": delivery, "application": "shop",
        "deployment": await caller.deploy(made), "part": "env", "name": "ci",
        "deploy_hook": made["deploy_hook"], "secret": made["deploy_secret"],
    }  # fmt: skip


async def called(caller: Caller, case: Case[Any], there: Mapping[str, str] | None) -> list[str]:
    """What the document does not know of the answer."""
    if there:
        names = case.path_parameters or {}
        case.path_parameters.update({name: there.get(name, names[name]) for name in names})
    asked = case.as_transport_kwargs(base_url="http://aweigh")
    asked.pop("cookies")
    if case.path.endswith("/test"):
        asked["params"].setdefault("wait", 0)
    if str(asked["params"].get("wait")).isdecimal():
        asked["params"]["wait"] = 0
    scope = "server" if "/worker/" in case.path else "admin"
    mine = {"Authorization": f"Bearer {caller.tokens[scope]}"} | HOLDER
    if there:
        asked["headers"] = dict(asked["headers"]) | mine | {"X-Deploy-Secret": there["secret"]}
    if "data" in asked:
        asked["content"] = asked.pop("data")
    answer = await caller.client.request(**asked)
    said = f"{case.method} {asked['url']}: {answer.status_code} {answer.text[:200]}"
    responses = case.operation.definition.raw["responses"]
    documented = responses.get(str(answer.status_code))
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if documented is None or (kind and kind not in documented.get("content", {})):
        return [f"{said} {kind}"]
    return []


async def test_no_answer_is_one_that_the_document_does_not_know(caller: Caller) -> None:
    there = await known(caller)
    document = (await caller.client.get("/openapi.json")).json()
    calls = await asyncio.to_thread(lambda: list(generated(document)))

    unknown = [
        one for case, deep in calls for one in await called(caller, case, there if deep else None)
    ]

    assert len(calls) > 300
    assert "\n".join(unknown) == ""


def bodies_with(half: str, path: str, names: Iterable[str]) -> Iterator[Any]:
    """Bodies that hold it as key and as value, by themselves and beside what is right."""
    yield from (half, [half], {half: 1}, {half: half}, {half: {half: 1}})
    yield from ({"tag": "v2", half: 1}, {"deploy": True, half: 1})
    for name in names:
        yield from ({name: wrong} for wrong in (half, {half: 1}, {half: half}, [half]))
    if path in ("/v1/applications", "/v1/applications/{application}"):
        for at in [one for one in places(GOOD) if one]:
            yield from (changed(GOOD, at, wrong) for wrong in (half, {half: 1}, {half: half}))


def fields_of(schema: Any, document: Mapping[str, Any]) -> Iterator[str]:
    """The names of the fields that a body may have."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        if name := schema.get("$ref", "").rpartition("/")[2]:
            yield from document["components"]["schemas"][name].get("properties", {})
        for inner in schema.values():
            yield from fields_of(inner, document)
    elif isinstance(schema, list):
        for inner in schema:
            yield from fields_of(inner, document)


async def test_halves_of_characters_are_refused_by_every_call_that_takes_a_body(
    caller: Caller,
) -> None:
    there = await known(caller)
    document = (await caller.client.get("/openapi.json")).json()
    headers = HOLDER | {"X-Deploy-Secret": there["secret"], "Content-Type": "application/json"}
    calls = [
        (method.upper(), path, operation.get("requestBody"))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation or path.startswith("/v1/events/{")
    ]

    for method, path, taken in calls:
        scope = "server" if "/worker/" in path else "admin"
        for body in bodies_with("\ud800", path, sorted(set(fields_of(taken, document)))):
            answer = await caller.call(
                method, path.format_map(there), scope=scope, headers=headers,
                content=json.dumps(body),
            )  # fmt: skip
            said = f"{method} {path} {json.dumps(body)[:300]}: {answer.status_code} {answer.text}"
            assert 400 <= answer.status_code < 500, said

    assert len(calls) > 10
    assert len((await caller.get("/v1/deployments"))["items"]) == 1
