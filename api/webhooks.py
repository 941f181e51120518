"""GitHub's door: signed deliveries of pushes."""

import binascii
import hashlib
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError

from api.dependencies import Doors, Office
from aweigh.domain import grammar
from aweigh.domain.errors import Invalid
from aweigh.domain.push import Event, Push
from aweigh.store import pushes
from aweigh.store.applications import Application
from aweigh.store.idempotency import Key

router = APIRouter(prefix="/v1/github", tags=["hooks"])
Read = TypeVar("Read", bound=BaseModel)
_MOST_FIELDS: Final = 10
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
    body = await request.body()
    payload = _payload(body, request.headers.get("content-type", ""))
    signers = await _signers(office, _read(Event, payload), body, x_hub_signature_256)
    if x_github_event == "ping":
        return JSONResponse({"applications": [one.row.slug for one in signers]}, 200)
    if x_github_event != "push":
        return _answer(
            [], [{"reason": f"{x_github_event or 'an event without a name'} is not a push"}]
        )
    if not signers:
        return _answer([], [{"reason": "no application is read by this installation of the App"}])
    push = _read(Push, payload)
    if push is None:
        raise Invalid("body", "is not a push as GitHub describes it")
    key = _key(x_github_delivery, body)
    async with office.store.write() as tx:
        taken = [await pushes.take(tx, one.row.id, push, key) for one in signers]
    office.relay.wake()
    return _answer(
        [one.deployment for one in taken if one.deployment],
        [{"application": one.slug, "reason": one.why_ignored} for one in taken if one.why_ignored],
    )


async def _signers(
    office: Office, event: Event | None, body: bytes, signature: str
) -> list[Application]:
    """The applications that a delivery speaks for; one of the App's may speak for none.

    Raises:
        HTTPException: nobody's secret signed it.
    """
    by_app = office.github.app is not None and office.github.app.signed(body, signature)
    async with office.store.read() as tx:
        signers = await pushes.signers(tx, event, body, signature) if event else []
        if event and by_app:
            signers += await pushes.of_installation(tx, event)
    if not (signers or by_app):
        raise HTTPException(401, _REFUSED)
    return signers


def _key(delivery: str, body: bytes) -> Key:
    """Raises: Invalid."""
    if not grammar.matches(grammar.IDEMPOTENCY_KEY, delivery):
        raise Invalid("X-GitHub-Delivery", "is missing")
    return Key(door="github", value=delivery, body_hash=hashlib.sha256(body).hexdigest())


def _payload(body: bytes, content_type: str) -> bytes:
    """The JSON of a delivery, which stands in a form unless the webhook was told otherwise."""
    if not content_type.startswith("application/x-www-form-urlencoded"):
        return body
    fields = dict(field.partition(b"=")[::2] for field in body.split(b"&", _MOST_FIELDS))
    return _unquoted(fields.get(b"payload", b""))


def _unquoted(text: bytes) -> bytes:
    """The bytes of a form's field: anybody may send megabytes of escapes, which `urllib` takes ten
    seconds and gigabytes for; quoted-printable is the same with another sign, and done in C."""
    return binascii.a2b_qp(text.replace(b"+", b" ").replace(b"=", b"=3D").replace(b"%", b"="))


def _read(kind: type[Read], body: bytes) -> Read | None:
    """None where the body is something else."""
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        return None


def _answer(deployments: list[str], ignored: list[dict[str, str]]) -> Response:
    return JSONResponse({"deployments": deployments, "ignored": ignored}, 202)
