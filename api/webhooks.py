"""GitHub's webhooks: signed deliveries of pushes."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from api.callers import accept_caller
from api.delivery_verification import Verified
from api.dependencies import AppContext, Context
from aweigh.core import grammar
from aweigh.core.errors import Invalid
from aweigh.deployments.source import GitSource
from aweigh.github import delivery
from aweigh.github.push import Push
from aweigh.store import pushes
from aweigh.store.applications import Application
from aweigh.store.database import PATIENCE, Transaction
from aweigh.store.idempotency import Key
from aweigh.store.pushes import PushOutcome

router = APIRouter(prefix="/v1/github", tags=["hooks"])
_REFUSED: Final = "The delivery is not signed with a secret of an application of this repository."


@router.post("/webhooks", status_code=202)
async def webhook(
    context: Context,
    request: Request,
    x_hub_signature_256: Annotated[str, Header()] = "",
    x_github_event: Annotated[str, Header()] = "",
    x_github_delivery: Annotated[str, Header()] = "",
) -> Response:
    """Deploy a push in every application whose secret signed the delivery.

    The App's secret covers the applications that use the installation that the delivery names.
    """
    if not delivery.is_signature(x_hub_signature_256):
        raise HTTPException(401, _REFUSED)  # the body is not even read
    verified = await _verified(context, request, x_hub_signature_256)
    signers = await _signers(context, verified)
    accept_caller(request)
    if x_github_event == "ping":
        await _remember_repository(context, signers, verified)
        return JSONResponse({"applications": [one.row.slug for one in signers]}, 200)
    if x_github_event != "push":
        return _answer(
            [], [{"reason": f"{x_github_event or 'an event without a name'} is not a push"}]
        )
    if not signers:
        return _answer([], [{"reason": "no application uses this installation of the App"}])
    if verified.push is None:
        raise Invalid("body", "is not a push as GitHub documents it")
    key = _key(x_github_delivery, verified.digest)
    return await _take(context, signers, verified.push, key)


async def _verified(context: AppContext, request: Request, signature: str) -> Verified:
    """Raises: HTTPException: no known secret signed it."""
    secret = context.github.app.webhook_secret if context.github.app else ""
    async with context.verification.bodies.of(request) as body:
        content_type = request.headers.get("content-type", "")
        found = await context.verification.verify(
            context.store, body, content_type, signature, secret
        )
    if found is None:
        raise HTTPException(401, _REFUSED)
    return found


async def _signers(context: AppContext, verified: Verified) -> list[Application]:
    """Return the applications that a delivery concerns; there may be none for the App.

    Raises:
        HTTPException: it was signed for another repository than its own.
    """
    signers: list[Application] = []
    async with context.store.read() as tx:
        if verified.event:
            signers += await pushes.of_repository(tx, verified.event, verified.application_ids)
        if verified.event and verified.by_app:
            signers += await pushes.of_installation(tx, verified.event)
    if not (signers or verified.by_app):
        raise HTTPException(401, _REFUSED)
    return signers


async def _remember_repository(
    context: AppContext, signers: list[Application], verified: Verified
) -> None:
    """Recognise the repository although it is renamed before its first push."""
    async with context.store.write() as tx:
        for one in signers:
            if verified.event:
                await pushes.remember_repository(tx, one.row.id, verified.event)


async def _take(context: AppContext, signers: list[Application], push: Push, key: Key) -> Response:
    for one in signers:
        if isinstance(one.settings.source, GitSource):
            await context.verification.touches(push, one.settings.source.paths)

    async def take(tx: Transaction) -> list[PushOutcome]:
        return [await pushes.take(tx, one, push, key) for one in signers]

    taken = await context.store.admit(take, patience=PATIENCE)  # GitHub does not send it again
    context.relay.wake()
    return _answer(
        [one.deployment for one in taken if one.deployment],
        [{"application": one.slug, "reason": one.why_ignored} for one in taken if one.why_ignored],
    )


def _key(delivery_id: str, digest: str) -> Key:
    """Raises: Invalid."""
    if not grammar.matches(grammar.IDEMPOTENCY_KEY, delivery_id):
        raise Invalid("X-GitHub-Delivery", "is missing")
    return Key(endpoint="github", value=delivery_id, body_hash=digest)


def _answer(deployments: list[str], ignored: list[dict[str, str]]) -> Response:
    return JSONResponse({"deployments": deployments, "ignored": ignored}, 202)
