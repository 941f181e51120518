"""Errors as application/problem+json (RFC 9457): the only place that makes them."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from aweigh.core.errors import (
    AweighError,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    Unreadable,
)
from aweigh.core.model import place_of
from aweigh.notifications.channel_settings import ChannelKind

_log = structlog.get_logger(__name__)

_KINDS: dict[type[AweighError], tuple[HTTPStatus, str]] = {
    NotFound: (HTTPStatus.NOT_FOUND, "not_found"),
    Conflict: (HTTPStatus.CONFLICT, "conflict"),
    Unreadable: (HTTPStatus.CONFLICT, "unreadable"),
    Invalid: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    Unavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}


#: Stable names: HTTP's phrases change with the versions of Python.
_HTTP: dict[int, str] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
}


_CHANNEL_KINDS = frozenset(map(str, ChannelKind))


def problem(status: int, kind: str, detail: str, **more: Any) -> JSONResponse:
    body = {
        "type": f"urn:aweigh:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": "1"}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def unauthorized() -> JSONResponse:
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "A valid token is required: Authorization: Bearer awg_…",
    )


def too_large() -> JSONResponse:
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is too large.")


def _fields(errors: Any) -> list[dict[str, str]]:
    """Return the invalid fields with their errors, never their values, which may be secret."""
    return [_field(error["type"], error["loc"], str(error["msg"])) for error in errors]


def _field(kind: str, place: tuple[str | int, ...], message: str) -> dict[str, str]:
    if kind == "json_invalid":  # its location is an offset
        return {"field": "body", "message": "is not JSON"}
    if place[:1] == ("body",):
        place = place[1:]
    if len(place) > 1 and place[0] in _CHANNEL_KINDS:  # pydantic adds the kind of a channel
        place = place[1:]
    if not place and kind.startswith("union_tag_"):
        place = ("kind",)
        message = "Field required" if kind == "union_tag_not_found" else message
    if kind == "tuple_type":  # JSON has lists, not tuples
        message = "Input should be a list"
    field = place_of(place) or "body"
    return _wrong(field, message.removeprefix("Value error, "))


def _wrong(field: str, message: str) -> dict[str, str]:
    """Escape what cannot be encoded: both texts may contain a name from the body."""
    return {"field": _sendable(field), "message": _sendable(message)}


def _sendable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _invalid(errors: list[dict[str, str]]) -> JSONResponse:
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, errors=errors)


def install(app: FastAPI) -> None:
    """Register a handler for each kind of error."""
    app.add_exception_handler(RequestValidationError, _request)
    app.add_exception_handler(ValidationError, _value)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(AweighError, _ours)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _request(request: Request, error: Any) -> JSONResponse:
    errors = error.errors()
    sent_as = request.headers.get("content-type", "").partition(";")[0]
    if any(one["loc"] == ("body",) for one in errors) and not sent_as.endswith("json"):
        message = "is not sent as JSON: set the header Content-Type: application/json"
        return _invalid([{"field": "body", "message": message}])
    return _invalid(_fields(errors))


async def _value(_: Request, error: Any) -> JSONResponse:
    return _invalid(_fields(error.errors(include_input=False, include_context=False)))


async def _http(_: Request, error: Any) -> JSONResponse:
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's status for an unreadable body
        return _invalid([{"field": "body", "message": "is not JSON"}])
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large()
    kind = _HTTP.get(error.status_code, "http")
    answer = problem(error.status_code, kind, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _ours(request: Request, error: Any) -> JSONResponse:
    if isinstance(error, Invalid):
        return _invalid([_wrong(error.field, error.message)])
    for kind, (status, name) in _KINDS.items():
        if isinstance(error, kind):
            return problem(status, name, str(error))
    _log.error("unexpected error", path=request.url.path, error=str(error))
    return _internal()


async def _gone(_: Request, __: Exception) -> Response:
    """The client has disconnected: nobody receives the answer, and nothing has failed."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    return _internal()  # and the server logs the error


def _internal() -> JSONResponse:
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        "An unexpected error occurred; see the log of the API.",
    )
