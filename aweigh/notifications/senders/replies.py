"""Lets a message refer to the first one about the same deployment, where a chat can show that.

https://core.telegram.org/bots/api#replyparameters
https://spec.matrix.org/v1.15/client-server-api/#threading
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit

#: In what the receiver answered to the first message, of which the first kilobyte is known.
_TELEGRAM: Final = re.compile(r'"message_id"\s*:\s*(\d{1,18})\b')
_MATRIX: Final = re.compile(r'"event_id"\s*:\s*"(\$[!#-\[\]-~]{1,254})"')


def reference(url: str, answered: str) -> dict[str, Any]:
    """Return the fields by which a request's message refers to an earlier one; may be none."""
    path = urlsplit(url).path
    if path.endswith("/sendMessage") and (found := _TELEGRAM.search(answered)):
        earlier = {"message_id": int(found[1]), "allow_sending_without_reply": True}
        return {"reply_parameters": earlier}
    if "/send/m.room.message" in path and (found := _MATRIX.search(answered)):
        root = {"event_id": found[1]}
        thread = {"rel_type": "m.thread", "is_falling_back": True, "m.in_reply_to": root}
        return {"m.relates_to": thread | root}
    return {}
