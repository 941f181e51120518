"""The document of this API: besides what FastAPI derives, how each call can fail, and as what."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field

PROBLEM: Final = "application/problem+json"
#: Every status that a problem can have, in the words of RFC 9110.
_MEANINGS: Final[dict[int, str]] = {
    401: "No valid token, or no valid signature",
    403: "The token's scope does not cover this call",
    404: "There is nothing of that name, or the secret is another one",
    405: "The path is not called by this method",
    408: "The request did not arrive in time",
    409: "Another state, application or worker stands against it",
    410: "The deployment has ended",
    413: "The body is too large",
    422: "A field, parameter or header is invalid",
    424: "The deployment ended otherwise than asked for; the problem holds it",
    429: "Too many calls from this address failed",
    503: "The database is away, or there is too much to do; try again",
}
_HOOK: Final = "/v1/events/{deploy_hook}"
#: Read by hand, so that who asks is checked first.
_HOOK_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"tag": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
}
_WORKER: Final = "/v1/worker/"
_WEBHOOKS: Final = "/v1/github/webhooks"
_CHANGES: Final = ("post", "put", "patch", "delete")


class FieldProblem(BaseModel):
    """What is wrong with one field; never its value."""

    field: str
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 describes it, with a stable `type`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = Field(default=None, description="With 422, by field.")
    deployment: dict[str, Any] | None = Field(
        default=None, description="With 424, the deployment as `GET /v1/deployments/{id}` shows it."
    )


def install(app: FastAPI) -> None:
    """Have the document complete wherever it is asked for."""
    derived = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(derived())
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which never occur
        schemas.pop(unused, None)
    template = "#/components/schemas/{model}"
    described = Problem.model_json_schema(ref_template=template)
    schemas |= described.pop("$defs") | {"Problem": described}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in sorted(set(_failures(path, method, operation))):
        content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses[str(status)] = {"description": _MEANINGS[status], "content": content}
    answered = next(
        responses[status] for status in ("200", "201", "202", "204") if status in responses
    )
    if "wait" in _parameters(operation) or path == _WEBHOOKS:  # a ping is answered at once
        responses |= {"200": answered, "202": answered}
    if path == _HOOK:
        content = {"application/json": {"schema": _HOOK_BODY}}
        operation["requestBody"] = {"required": False, "content": content}
    if path.endswith("/log"):
        _complete_log(method, responses)


def _complete_log(method: str, responses: dict[str, Any]) -> None:
    text = {"text/plain": {"schema": {"type": "string"}}}
    if method == "get":
        events = {"text/event-stream": {"schema": {"type": "string"}}}
        responses["200"] = {
            "description": "The log, or its lines as events",
            "content": text | events,
        }
        responses["206"] = {"description": "The bytes asked for", "content": text}
        responses["416"] = {"description": "The log is shorter", "content": text}
    else:  # a server worker's report: the length there is
        responses["409"]["content"]["application/json"] = {"schema": {"type": "object"}}


def _parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ())}


def _failures(path: str, method: str, operation: dict[str, Any]) -> Iterator[int]:
    if path != "/healthz":
        yield 503
    if not path.startswith("/v1/"):
        return
    yield from (422, 429)
    if "security" in operation:
        yield from (401, 403)
    if "{" in path or "application" in _parameters(operation):
        yield 404
    if method in _CHANGES:
        yield from (408, 409, 413)
    if path.startswith(_WORKER):
        yield from (401, 403, 404, 409, 410)
    if path == _WEBHOOKS:
        yield 401
    if "wait" in _parameters(operation):
        yield 424
