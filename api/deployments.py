"""Deployments: read, followed, cancelled, retried, deleted."""

import re
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.dependencies import Admin, AppContext, Context, Cursor, Deployer, Reader
from api.idempotency import KeyHeader, key_of
from api.log_stream import chunks, follow
from api.ranges import ranged
from api.server_sent_events import event_stream, wants_events
from api.wait import Wait, answer_for, answer_to
from aweigh.core.errors import Conflict
from aweigh.deployment_answer import deployment_answer
from aweigh.deployments.deployment import DeploymentState, Trigger
from aweigh.store import admission, applications, deletion, deployments, idempotency, logs, outbox
from aweigh.store.admission import Order
from aweigh.store.applications import Application
from aweigh.store.database import Transaction
from aweigh.store.deployments import Deployment
from aweigh.store.tables import DeploymentRow

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])
_PAGE: Final = 50
_OFFSET: Final = re.compile(r"[0-9]{1,18}")


@router.get("")
async def list_deployments(
    context: Context,
    _: Reader,
    application: str | None = None,
    state: DeploymentState | None = None,
    before: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = _PAGE,
) -> dict[str, Any]:
    async with context.store.read() as tx:
        wanted = (await applications.find_row(tx, application)).id if application else None
        found = await deployments.page(
            tx, application_id=wanted, state=state, before=before, limit=limit
        )
    items = [deployment_answer(one, context.settings) for one in found]
    return {"items": items, "next": items[-1].id if len(items) == limit else None}


@router.get("/{deployment}")
async def read_deployment(context: Context, _: Reader, deployment: str, wait: Wait = 0) -> Response:
    answer = await answer_for(context, deployment, wait)
    if not wait:
        answer.status_code = 200
    return answer


@router.get("/{deployment}/steps")
async def read_steps(context: Context, _: Reader, deployment: str) -> dict[str, Any]:
    async with context.store.read() as tx:
        found = await deployments.find(tx, deployment)
    return {"items": deployment_answer(found, context.settings).steps, "next": None}


@router.get("/{deployment}/log")
async def read_log(context: Context, _: Reader, request: Request, deployment: str) -> Response:
    """Text, with byte ranges; a stream of events with `Accept: text/event-stream`."""
    async with context.store.read() as tx:
        await deployments.find_row(tx, deployment)
        length = await logs.length(tx, deployment)
    if wants_events(request):
        last = _OFFSET.fullmatch(request.headers.get("last-event-id", ""))
        context.followers.check_capacity()
        events = follow(context.followers, deployment, int(last[0]) if last else 0)
        return event_stream(events)
    read = partial(chunks, context.followers, deployment)
    return ranged(length, request.headers.get("range"), read)


@router.post("/{deployment}/cancel", status_code=202)
async def cancel(context: Context, _: Deployer, deployment: str, wait: Wait = 0) -> Response:
    """Request the cancellation; it is `cancelled` once nothing of it exists any more."""
    async with context.store.write(urgent=True) as tx:
        row = await deployments.find_row(tx, deployment, lock=True)
        if DeploymentState(row.state).ended:
            raise Conflict(f"{deployment} has ended already ({row.state})")
        await outbox.put(tx, outbox.CANCEL, deployment)
    context.relay.wake()
    return await answer_for(context, deployment, wait, wanted=DeploymentState.FAILED)


@router.delete("/{deployment}", status_code=204, response_class=Response)
async def delete(context: Context, _: Admin, deployment: str) -> None:
    """Delete an ended deployment: its record, its log, and its image if nothing else needs it."""
    async with context.store.write(urgent=True) as tx:
        await deletion.delete_ended(tx, deployment, context.settings.keep_releases)
    context.followers.touch(deployment)


@router.post("/{deployment}/retry", status_code=202)
async def retry(
    context: Context,
    bearer: Deployer,
    deployment: str,
    idempotency_key: KeyHeader = None,
    wait: Wait = 0,
) -> Response:
    """Deploy the same release again; its image is not built or pulled again."""
    order = Order(trigger=Trigger.RETRY, actor=bearer.name, retry_of=deployment)
    return await _again(context, order, idempotency_key, wait)


@router.post("/{deployment}/rollback", status_code=202)
async def rollback(
    context: Context,
    bearer: Deployer,
    deployment: str,
    idempotency_key: KeyHeader = None,
    wait: Wait = 0,
) -> Response:
    """Deploy this older release again."""
    order = Order(trigger=Trigger.ROLLBACK, actor=bearer.name, retry_of=deployment)
    return await _again(context, order, idempotency_key, wait)


_NEEDED: Final = {
    Trigger.RETRY: DeploymentState.FAILED,
    Trigger.ROLLBACK: DeploymentState.SUCCEEDED,
}


async def _again(
    context: AppContext, order: Order, idempotency_key: str | None, wait: int
) -> Response:
    key = key_of(order.trigger, idempotency_key, deployment=order.retry_of)

    async def admit(tx: Transaction) -> Deployment:
        row = await deployments.find_row(tx, order.retry_of or "", lock=True)
        application = await applications.find(tx, row.application_id, lock=True)
        return await idempotency.once(
            tx, application.row.id, key, lambda: _admit_again(tx, application, row, order)
        )

    admitted = await context.store.admit(admit)
    context.relay.wake()
    return await answer_to(context, admitted, wait)


async def _admit_again(
    tx: Transaction, application: Application, earlier: DeploymentRow, order: Order
) -> Deployment:
    """Raises: Conflict."""
    if known := await admission.find_duplicate(tx, application, order):
        return known
    needed = _NEEDED[order.trigger]
    if earlier.state != needed:
        raise Conflict(f"{earlier.id} is {earlier.state}; a {order.trigger} requires {needed}")
    order = replace(order, tag=earlier.tag)
    return await admission.admit_again(tx, application, earlier, order)
