"""Deliveries as GitHub sends them."""

from typing import Any

from examples.demo.github import delivery

__all__ = ["ZERO", "delivery", "push"]

ZERO = "0" * 40


def push(repository: str, *, after: str, before: str = ZERO, **more: Any) -> dict[str, Any]:
    """The payload of a push, cut to what GitHub has said of every push for years."""
    message = more.pop("message", "change")
    commit = {
        "id": after, "message": message, "timestamp": "2026-11-01T12:00:00+01:00",
        "author": {"name": "A", "email": "a@example.com"},
        "added": [], "modified": more.pop("modified", ["README.md"]), "removed": [],
    }  # fmt: skip
    payload: dict[str, Any] = {
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
    payload["repository"] |= repository_fields
    return payload | more
