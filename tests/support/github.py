"""Deliveries as GitHub sends them."""

import hashlib
import hmac
import json
import secrets
from typing import Any

ZERO = "0" * 40


def push(repository: str, *, after: str, before: str = ZERO, **more: Any) -> dict[str, Any]:
    """The payload of a push, cut to what GitHub has said of every push for years."""
    message = more.pop("message", "change")
    commit = {
        "id": after, "message": message, "timestamp": "2026-11-01T12:00:00+01:00",
        "author": {"name": "A", "email": "a@example.com"},
        "added": [], "modified": more.pop("modified", ["README.md"]), "removed": [],
    }  # fmt: skip
    payload = {
        "ref": "refs/heads/main", "before": before, "after": after, "created": before == ZERO,
        "deleted": False, "forced": False, "base_ref": None,
        "compare": "https://github.com/acme/shop/compare/x...y",
        "commits": [commit], "head_commit": commit,
        "repository": {
            "id": 1, "name": "shop", "full_name": "acme/shop", "private": True,
            "clone_url": repository, "default_branch": "main", "pushed_at": 1_790_000_000,
        },
        "pusher": {"name": "octocat", "email": "octocat@example.com"},
        "sender": {"login": "octocat", "id": 2, "type": "User"},
    }  # fmt: skip
    repository_fields = more.pop("repository_fields", {})
    payload["repository"] |= repository_fields  # type: ignore[operator]
    return payload | more


def delivery(
    payload: dict[str, Any], secret: str, *, event: str = "push", id: str | None = None
) -> dict[str, Any]:
    """The arguments of the request: raw bytes, and headers with their signature."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json", "X-GitHub-Event": event,
        "X-GitHub-Delivery": id or secrets.token_hex(16),
        "X-Hub-Signature-256": f"sha256={signature}",
    }  # fmt: skip
    return {"content": body, "headers": headers}
