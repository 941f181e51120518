"""The deploy hook: what CI calls."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import QueryParams

from api import hook_body
from api.bodies import is_small
from api.dependencies import Doors
from api.idempotency import KeyHeader, key_of
from api.strangers import let_in, was_here
from api.waiting import Wait, answer_to
from aweigh.core.errors import Invalid
from aweigh.deployments.deployment import Trigger
from aweigh.store import admission, applications
from aweigh.store.admission import Order
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment

router = APIRouter(prefix="/v1/events", tags=["hooks"])


@router.post("/{deploy_hook}", status_code=202)
async def deploy_hook(
    office: Doors,
    request: Request,
    deploy_hook: str,
    x_deploy_secret: Annotated[str, Header()] = "",
    idempotency_key: KeyHeader = None,
    tag: Annotated[str | None, Query()] = None,
    wait: Wait = 0,
) -> Response:
    """Deploy, at `tag` if one is given: in the JSON body or the query.

    The answer's `ignored` names fields of the body that mean nothing here.
    """

    async def check_caller() -> None:
        async with office.store.read() as tx:
            await applications.find_by_hook(tx, deploy_hook, x_deploy_secret)
        let_in(request)

    # Who asks comes before what is asked, so that a stranger learns nothing from a 422; and before
    # the write, so that strangers keep no admission waiting. Who was here before is let through
    # to the admission, which asks him anyway; but not with much to read, for he may be out.
    if not (known := was_here(request) and is_small(request.headers)):
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
        # The secret may have been rotated since the caller showed it.
        application = await applications.find_by_hook(tx, deploy_hook, x_deploy_secret, lock=True)
        let_in(request)
        return await admission.admit_once(tx, application, order, key)

    admitted = await office.store.admit(admit)
    office.relay.wake()
    return _told(await answer_to(office, admitted, wait), asked.ignored)


def _refuse_unknown(query: QueryParams) -> None:
    """A misspelt `tag` would deploy what is live, and CI would take that for its own.

    Raises:
        Invalid
    """
    for name in query:
        if name not in ("tag", "wait"):
            raise Invalid(f"query.{name}", "is not known here; there are `tag` and `wait`")
        if len(query.getlist(name)) > 1:
            raise Invalid(f"query.{name}", "is given more than once")


def _told(answer: Response, ignored: tuple[str, ...]) -> Response:
    """Return the answer with the names of the fields that were not looked at."""
    if not ignored:
        return answer
    body = json.loads(bytes(answer.body)) | {"ignored": list(ignored)}
    headers = {"Location": answer.headers["Location"]} if "Location" in answer.headers else None
    return JSONResponse(body, answer.status_code, headers, answer.media_type)
