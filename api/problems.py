"""Errors leave as application/problem+json (RFC 9457), from here alone."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from aweigh.domain.errors import AweighError, Conflict, Invalid, NotFound, Unavailable

_log = structlog.get_logger(__name__)

_KINDS: dict[type[AweighError], tuple[HTTPStatus, str]] = {
    NotFound: (HTTPStatus.NOT_FOUND, "not_found"),
    Conflict: (HTTPStatus.CONFLICT, "conflict"),
    Invalid: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    Unavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}


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


def _fields(errors: Any) -> list[dict[str, str]]:
    """Which field, and what is wrong with it; never the value, which may be a secret."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"] if part != "body") or "body",
            "message": str(error["msg"]).removeprefix("Value error, "),
        }
        for error in errors
    ]


def _invalid(errors: list[dict[str, str]]) -> JSONResponse:
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, errors=errors)


def install(app: FastAPI) -> None:
    """Register the one handler for each kind of error."""

    @app.exception_handler(RequestValidationError)
    async def _request(_: Request, error: RequestValidationError) -> JSONResponse:
        return _invalid(_fields(error.errors()))

    @app.exception_handler(ValidationError)
    async def _value(_: Request, error: ValidationError) -> JSONResponse:
        return _invalid(_fields(error.errors(include_input=False, include_context=False)))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        kind = HTTPStatus(error.status_code).name.lower()
        return problem(error.status_code, kind, str(error.detail))

    @app.exception_handler(AweighError)
    async def _ours(request: Request, error: AweighError) -> JSONResponse:
        if isinstance(error, Invalid):
            return _invalid([{"field": error.field, "message": error.message}])
        for kind, (status, name) in _KINDS.items():
            if isinstance(error, kind):
                return problem(status, name, str(error))
        _log.error("unexpected error", path=request.url.path, error=str(error))
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong here.")
