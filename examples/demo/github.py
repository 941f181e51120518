"""Deliveries as GitHub signs them."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any


def delivery(
    payload: Mapping[str, Any], secret: str, *, event: str = "push", id: str | None = None
) -> dict[str, Any]:
    """The arguments of the request: raw bytes, and headers with their signature.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    body = json.dumps(payload, separators=(",", ":")).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json", "X-GitHub-Event": event,
        "X-GitHub-Delivery": id or secrets.token_hex(16),
        "X-Hub-Signature-256": f"sha256={signature}",
    }  # fmt: skip
    return {"content": body, "headers": headers}
