"""GitHub's door: signed deliveries of pushes."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from api.dependencies import Doors, Office
from api.strangers import let_in
from api.verification import Verified
from aweigh.core import grammar
from aweigh.core.errors import Invalid
from aweigh.deployments.source import GitSource
from aweigh.github import delivery
from aweigh.github.push import Push
from aweigh.store import pushes
from aweigh.store.applications import Application
from aweigh.store.database import PATIENCE, Transaction
from aweigh.store.idempotency import Key
from aweigh.store.pushes import Taken

router = APIRouter(prefix="/v1/github", tags=["hooks"])
_REFUSED: Final = "The delivery is not signed with a secret of an application of this repository."


@router.post("/webhooks", status_code=202)
async def webhook(
    office: Doors,
    request: Request,
    x_hub_signature_256: Annotated[str, Header()] = "",
    x_github_event: Annotated[str, Header()] = "",
    x_github_delivery: Annotated[str, Header()] = "",
) -> Response:
    """Deploy what was pushed, in every application whose secret signed the delivery.

    The App's secret speaks for the applications that are read by the installation it names.
    """
    if not delivery.is_signature(x_hub_signature_256):
        raise HTTPException(401, _REFUSED)  # whoever sent it: its body is not even read
    verified = await _verified(office, request, x_hub_signature_256)
    signers = await _signers(office, verified)
    let_in(request)
    if x_github_event == "ping":
        await _remember(office, signers, verified)
        return JSONResponse({"applications": [one.row.slug for one in signers]}, 200)
    if x_github_event != "push":
        return _answer(
            [], [{"reason": f"{x_github_event or 'an event without a name'} is not a push"}]
        )
    if not signers:
        return _answer([], [{"reason": "no application is read by this installation of the App"}])
    if verified.push is None:
        raise Invalid("body", "is not a push as GitHub describes it")
    key = _key(x_github_delivery, verified.digest)
    return await _take(office, signers, verified.push, key)


async def _verified(office: Office, request: Request, signature: str) -> Verified:
    """Raises: HTTPException: nobody's secret signed it."""
    secret = office.github.app.webhook_secret if office.github.app else ""
    async with office.verification.bodies.of(request) as body:
        content_type = request.headers.get("content-type", "")
        found = await office.verification.verify(
            office.store, body, content_type, signature, secret
        )
    if found is None:
        raise HTTPException(401, _REFUSED)
    return found


async def _signers(office: Office, verified: Verified) -> list[Application]:
    """The applications that a delivery speaks for; one of the App's may speak for none.

    Raises:
        HTTPException: it was signed for another repository than the one it is about.
    """
    signers: list[Application] = []
    async with office.store.read() as tx:
        if verified.event:
            signers += await pushes.of_repository(tx, verified.event, verified.application_ids)
        if verified.event and verified.by_app:
            signers += await pushes.of_installation(tx, verified.event)
    if not (signers or verified.by_app):
        raise HTTPException(401, _REFUSED)
    return signers


async def _remember(office: Office, signers: list[Application], verified: Verified) -> None:
    """Know the repository again when it is renamed before its first push."""
    async with office.store.write() as tx:
        for one in signers:
            if verified.event:
                await pushes.remember(tx, one.row.id, verified.event)


async def _take(office: Office, signers: list[Application], push: Push, key: Key) -> Response:
    for one in signers:
        if isinstance(one.settings.source, GitSource):
            await office.verification.touches(push, one.settings.source.paths)

    async def take(tx: Transaction) -> list[Taken]:
        return [await pushes.take(tx, one.row.id, push, key) for one in signers]

    taken = await office.store.admit(take, patience=PATIENCE)  # nobody sends it again
    office.relay.wake()
    return _answer(
        [one.deployment for one in taken if one.deployment],
        [{"application": one.slug, "reason": one.why_ignored} for one in taken if one.why_ignored],
    )


def _key(delivery_id: str, digest: str) -> Key:
    """Raises: Invalid."""
    if not grammar.matches(grammar.IDEMPOTENCY_KEY, delivery_id):
        raise Invalid("X-GitHub-Delivery", "is missing")
    return Key(door="github", value=delivery_id, body_hash=digest)


def _answer(deployments: list[str], ignored: list[dict[str, str]]) -> Response:
    return JSONResponse({"deployments": deployments, "ignored": ignored}, 202)
