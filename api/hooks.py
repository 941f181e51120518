"""The deploy hook: what CI calls."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from api.dependencies import Doors
from api.waiting import Wait, answer_for
from aweigh.domain import grammar
from aweigh.domain.deployment import Trigger
from aweigh.domain.errors import Invalid
from aweigh.store import applications, deployments
from aweigh.store.deployments import Key, Order

router = APIRouter(prefix="/v1/events", tags=["hooks"])
_DOOR = "hook"


@router.post("/{deploy_hook}", status_code=202)
async def deploy_hook(
    office: Doors,
    request: Request,
    deploy_hook: str,
    x_deploy_secret: Annotated[str, Header()] = "",
    idempotency_key: Annotated[str | None, Header()] = None,
    tag: Annotated[str | None, Query()] = None,
    wait: Wait = 0,
) -> Response:
    """Deploy, at `tag` if one is given: in the JSON body or the query."""
    body = await request.body()
    async with office.store.write() as tx:
        # Who asks comes before what is asked: a stranger learns nothing from a 422.
        application = await applications.find_by_hook(tx, deploy_hook, x_deploy_secret)
        asked = _tag(body, tag)
        key = _key(idempotency_key, asked)
        known = await deployments.remembered(tx, application.row.id, key) if key else None
        if known is None:
            order = Order(trigger=Trigger.HOOK, actor="hook", tag=asked)
            known = await deployments.admit(tx, application, order)
            if key:
                deployments.remember(tx, application.row.id, key, known)
    office.relay.wake()
    return await answer_for(office, known, wait)


def _tag(body: bytes, query: str | None) -> str | None:
    """Raises: Invalid."""
    if not body.strip():
        return query
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("body", "is not JSON") from error
    if not isinstance(parsed, dict):
        raise Invalid("body", "is not a JSON object")
    tag = parsed.get("tag")
    if tag is not None and not isinstance(tag, str):
        raise Invalid("tag", "is not a string")
    if tag and query and tag != query:
        raise Invalid("tag", "differs between body and query")
    return tag or query


def _key(value: str | None, tag: str | None) -> Key | None:
    if value is None:
        return None
    if not grammar.matches(grammar.IDEMPOTENCY_KEY, value):
        raise Invalid("Idempotency-Key", "holds 1 to 255 printable ASCII characters, no spaces")
    asked = json.dumps({"tag": tag})
    return Key(door=_DOOR, value=value, body_hash=hashlib.sha256(asked.encode()).hexdigest())
