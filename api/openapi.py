"""The OpenAPI document: what FastAPI derives, and how each call can fail."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field

PROBLEM: Final = "application/problem+json"
#: Every status that a problem can have.
_MEANINGS: Final[dict[int, str]] = {
    401: "No valid token, or no valid signature",
    403: "The token's scope does not cover this call",
    404: "No such resource, or the secret is wrong",
    405: "The method is not allowed for this path",
    408: "The request did not arrive in time",
    409: "The call conflicts with a state, another application or another worker",
    410: "The deployment has ended",
    413: "The body is too large",
    422: "A field, parameter or header is invalid",
    424: "The deployment did not end as requested; the problem contains it",
    429: "Too many calls from this address failed",
    503: "The database does not answer, the API is overloaded, or a check failed; try again",
}
_HOOK: Final = "/v1/events/{deploy_hook}"
#: Parsed by hand, after the caller is authenticated.
_HOOK_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"tag": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
}
_EVENTS: Final = "/v1/events"
_EVENT_STREAM: Final[dict[str, Any]] = {"text/event-stream": {"schema": {"type": "string"}}}
_WORKER: Final = "/v1/worker/"
_WEBHOOKS: Final = "/v1/github/webhooks"
_CHANGES: Final = ("post", "put", "patch", "delete")


class FieldProblem(BaseModel):
    """The error of one field; never its value."""

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
    """Complete the document."""
    derived = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(derived())
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, never sent
        schemas.pop(unused, None)
    template = "#/components/schemas/{model}"
    described = Problem.model_json_schema(ref_template=template)
    schemas |= described.pop("$defs") | {"Problem": described}
    for operations in document.get("webhooks", {}).values():  # sent by Aweigh, not answered by it
        operations["post"]["responses"] = {"2XX": {"description": "The event was received"}}
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
    if path == _EVENTS:
        responses["200"]["content"] |= _EVENT_STREAM
    if path.endswith("/log"):
        _complete_log(method, responses)


def _complete_log(method: str, responses: dict[str, Any]) -> None:
    text = {"text/plain": {"schema": {"type": "string"}}}
    if method == "get":
        responses["200"] = {
            "description": "The log, or its lines as events",
            "content": text | _EVENT_STREAM,
        }
        responses["206"] = {"description": "The requested bytes", "content": text}
        responses["416"] = {"description": "The log is shorter", "content": text}
    else:  # a server worker's report: the current length
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
