"""Notices: deliveries that are about a channel itself, and are handed over at once."""

import json
from collections.abc import Mapping
from typing import Any

from aweigh.core.ids import new_id
from aweigh.notifications.delivery_state import DeliveryState, NoticeKind
from aweigh.store import outbox
from aweigh.store.database import Transaction
from aweigh.store.tables import DeliveryRow


async def add(
    tx: Transaction,
    channel_id: str,
    kind: NoticeKind,
    content: Mapping[str, Any],
    message_id: str | None = None,
) -> DeliveryRow:
    """`message_id`: that of an earlier notice, if this one repeats it."""
    row = DeliveryRow(
        id=new_id("dlv"), channel_id=channel_id, kind=kind, content=json.dumps(content),
        message_id=message_id or new_id("msg"), state=DeliveryState.SENDING, attempts=0,
        created_at=tx.now, released_at=tx.now,
    )  # fmt: skip
    await tx.insert(row)
    await tx.insert(outbox.new(tx, outbox.NOTIFY, row.id))
    return row
