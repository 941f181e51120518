"""The deploy hook: what CI calls."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import QueryParams

from api import hook_body
from api.bodies import is_small
from api.callers import accept_caller, is_known_caller
from api.dependencies import Context
from api.idempotency import KeyHeader, key_of
from api.wait import Wait, answer_to
from aweigh.core.errors import Invalid
from aweigh.deployments.deployment import Trigger
from aweigh.store import admission, applications
from aweigh.store.admission import Order
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment

router = APIRouter(prefix="/v1/events", tags=["hooks"])


@router.post("/{deploy_hook}", status_code=202)
async def deploy_hook(
    context: Context,
    request: Request,
    deploy_hook: str,
    x_deploy_secret: Annotated[str, Header()] = "",
    idempotency_key: KeyHeader = None,
    tag: Annotated[str | None, Query()] = None,
    wait: Wait = 0,
) -> Response:
    """Deploy, at `tag` if one is given: in the JSON body or the query.

    The answer's `ignored` names the fields of the body that were ignored.
    """

    async def check_caller() -> None:
        async with context.store.read() as tx:
            await applications.check_hook(tx, deploy_hook, x_deploy_secret)
        accept_caller(request)

    # The caller is authenticated before its request is validated, so that a 422 tells strangers
    # nothing, and before the write, so that strangers delay no admission. A known caller goes on to
    # the admission, which authenticates it anyway; but not with a large body: it may be revoked.
    if not (known := is_known_caller(request) and is_small(request.headers)):
        await check_caller()
    body = await request.body()
    try:
        _refuse_unknown(request.query_params)
        asked = hook_body.read(body, tag)
        key = key_of("hook", idempotency_key, tag=asked.tag)
    except Invalid:
        if known:
            await check_caller()
        raise
    order = Order(trigger=Trigger.HOOK, actor="hook", tag=asked.tag)

    async def admit(tx: Transaction) -> Deployment:
        # The secret may have been rotated since the caller presented it.
        application = await applications.find_by_hook(tx, deploy_hook, x_deploy_secret, lock=True)
        accept_caller(request)
        return await admission.admit_once(tx, application, order, key)

    admitted = await context.store.admit(admit)
    context.relay.wake()
    return _with_ignored(await answer_to(context, admitted, wait), asked.ignored)


def _refuse_unknown(query: QueryParams) -> None:
    """Refuse a misspelt `tag`: it would deploy what is live, and CI would report success.

    Raises:
        Invalid
    """
    for name in query:
        if name not in ("tag", "wait"):
            raise Invalid(f"query.{name}", "is unknown; use `tag` or `wait`")
        if len(query.getlist(name)) > 1:
            raise Invalid(f"query.{name}", "is given more than once")


def _with_ignored(answer: Response, ignored: tuple[str, ...]) -> Response:
    """Return the answer with the names of the ignored fields."""
    if not ignored:
        return answer
    body = json.loads(bytes(answer.body)) | {"ignored": list(ignored)}
    headers = {"Location": answer.headers["Location"]} if "Location" in answer.headers else None
    return JSONResponse(body, answer.status_code, headers, answer.media_type)
