"""The address by which apprise knows a channel."""

import re
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from aweigh.notifications.channel import Channel
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.chats import (
    AppriseChannel,
    Gotify,
    IncomingWebhook,
    Matrix,
    Ntfy,
    Pushover,
    Telegram,
)
from aweigh.notifications.senders.apprise_schemas import quoted_fragments

_SLACK: Final = re.compile(
    r"https://hooks\.slack(?P<gov>-gov)?\.com/services/([A-Za-z0-9]+)/([A-Za-z0-9]+)/([A-Za-z0-9]+)/?"
)
_DISCORD: Final = re.compile(
    r"https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/"
    r"(?P<id>\d+)/(?P<token>[\w-]+)/?"
)
#: https://learn.microsoft.com/power-automate/ip-address-configuration
_TEAMS_HOST: Final = re.compile(
    r"[\w.-]+\.(?:logic\.azure\.[a-z]{2,12}|(?:power|apps)platform(?:\.[a-z\d-]{2,24}){1,3})"
)
_TEAMS_PATH: Final = re.compile(
    r"(?P<automate>/powerautomate/automations/direct(?:/cu/(?P<route>\d+))?)?"
    r"/workflows/(?P<workflow>[\w-]+)/triggers/manual/paths/invoke/?"
)
_MATTERMOST_KEY: Final = re.compile(r"[A-Za-z0-9._~-]+")


def apprise_url(channel: Channel) -> str:
    """Return the address, all of its parts quoted.

    Raises:
        ValueError: a chat does not have such addresses; the message begins with the field's name.
    """
    match channel:
        case IncomingWebhook():
            return _INCOMING[channel.kind](channel.url.get_secret_value())
        case Telegram():
            host = channel.token.get_secret_value()
            return _address("tgram", channel.chat, host=host, detect="no", preview="no")
        case Ntfy():
            return _ntfy(channel)
        case Pushover():
            user, token = channel.user.get_secret_value(), channel.token.get_secret_value()
            return _address("pover", user=user, host=token)
        case Gotify():
            schema, host, path = _place(channel.url.get_secret_value(), "gotify")
            return _address(schema, *path, channel.token.get_secret_value(), host=host)
        case Matrix():
            return _matrix(channel)
        case AppriseChannel():
            return quoted_fragments(channel.url.get_secret_value())
        case _:
            raise ValueError(f"kind {channel.kind} is not sent by apprise")


def _address(schema: str, *segments: str, user: str = "", host: str = "", **options: str) -> str:
    options = {"image": "no", **options}
    authority = f"{_quoted(user)}@{host}" if user else host
    path = "".join(f"/{_quoted(one)}" for one in segments)
    return f"{schema}://{authority}{path}/?{urlencode(options)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _slack(url: str) -> str:
    found = _SLACK.fullmatch(url)
    if not found:
        raise ValueError("url is not one of Slack's, https://hooks.slack.com/services/T…/B…/…")
    mode = "gov-hook" if found["gov"] else "hook"
    return _address("slack", found[3], found[4], host=found[2], footer="no", mode=mode)


def _discord(url: str) -> str:
    found = _DISCORD.fullmatch(url)
    if not found:
        raise ValueError("url is not one of Discord's, https://discord.com/api/webhooks/…/…")
    return _address("discord", found["token"], host=found["id"], avatar="no", footer="no")


def _teams(url: str) -> str:
    parts = urlsplit(url)
    host = _TEAMS_HOST.fullmatch(parts.hostname or "")
    path = _TEAMS_PATH.fullmatch(parts.path)
    given = parse_qs(parts.query)
    if parts.scheme != "https" or not (host and path and given.get("sig")):
        raise ValueError(
            "url is not one of a workflow, https://….powerplatform.com/…/triggers/manual/paths/"
            "invoke?…&sig=…"
        )
    options = {"pa": "yes" if path["automate"] else "no", "wrap": "yes"}
    if path["route"]:
        options["route"] = path["route"]
    if version := given.get("api-version"):
        options["ver"] = version[0]
    port = f":{parts.port}" if parts.port else ""
    signature = given["sig"][0]
    return _address("workflows", path["workflow"], signature, host=f"{host[0]}{port}", **options)


def _mattermost(url: str) -> str:
    schema, host, path = _place(url, "mmost")
    *before, hooks, key = path or ("", "")
    if hooks != "hooks" or not _MATTERMOST_KEY.fullmatch(key) or urlsplit(url).query:
        raise ValueError("url is not one of Mattermost's, https://chat.example.com/hooks/…")
    return _address(schema, *before, key, host=host)


_INCOMING: Final = {
    ChannelKind.SLACK: _slack,
    ChannelKind.DISCORD: _discord,
    ChannelKind.TEAMS: _teams,
    ChannelKind.MATTERMOST: _mattermost,
}


def _ntfy(channel: Ntfy) -> str:
    schema, host, path = _place(channel.url.get_secret_value(), "ntfy")
    token = channel.token.get_secret_value() if channel.token else ""
    options = {"auth": "token"} if token else {}
    return _address(schema, *path, user=token, host=host, mode="private", **options)


def _matrix(channel: Matrix) -> str:
    schema, host, _ = _place(channel.url.get_secret_value(), "matrix")
    return _address(
        schema, channel.room, user=channel.token.get_secret_value(), host=host,
        mode="off", discovery="no", e2ee="no", hsreq="no",
    )  # fmt: skip


def _place(url: str, schema: str) -> tuple[str, str, list[str]]:
    """Return apprise's schema, the host with its port, and the path of a web address."""
    parts = urlsplit(url)
    name = (parts.hostname or "").removesuffix(".")
    host = f"[{name}]" if ":" in name else name
    secure = "s" if parts.scheme == "https" else ""
    path = [one for one in parts.path.split("/") if one]
    return f"{schema}{secure}", f"{host}:{parts.port}" if parts.port else host, path
