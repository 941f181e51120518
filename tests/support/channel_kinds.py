"""A channel of each kind, with a secret in each place that may hold one."""

import base64
from typing import Any


def channels_of_all_kinds(token: str) -> list[dict[str, Any]]:
    """`token`: 16 characters, letters and digits, which each target and credential holds."""
    signing = base64.b64encode(f"{token}{token}".encode()).decode()
    teams = "https://prod-1.westeurope.logic.azure.com/workflows/0123456789abcdef/triggers/manual"
    given: dict[str, dict[str, Any]] = {
        "webhook": {"url": f"https://hooks.test/{token}", "secret": f"whsec_{signing}"},
        "slack": {"url": f"https://hooks.slack.com/services/T12345678/B12345678/{token}abcdefgh"},
        "discord": {"url": f"https://discord.com/api/webhooks/4174216298/{token}"},
        "teams": {"url": f"{teams}/paths/invoke?api-version=2016-06-01&sig={token}"},
        "telegram": {"token": f"123456789:AA{token}{token}", "chat": "-1001234567890"},
        "email": {
            "host": "mail.test", "from": "aweigh@example.com", "to": ["ops@example.com"],
            "username": "aweigh", "password": f"pass-{token}",
        },
        "ntfy": {"url": "https://ntfy.test/deployments", "token": f"tk_{token}"},
        "pushover": {"user": f"{token}userAbcdefghijklmnop"[:30],
                     "token": f"{token}tokenAbcdefghijklmno"[:30]},
        "gotify": {"url": "https://push.test", "token": f"A{token}"},
        "mattermost": {"url": f"https://chat.test/hooks/{token}"},
        "matrix": {
            "url": "https://matrix.test", "token": f"syt_{token}", "room": "!id:matrix.test",
        },
        "apprise": {"url": f"zulip://bot@organisation/{token}{token}/ops"},
    }  # fmt: skip
    return [{"name": f"{kind} of a secret", "kind": kind, **rest} for kind, rest in given.items()]
