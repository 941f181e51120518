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
from aweigh.notifications.senders.apprise_schemas import refuse_schema

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
_TELEGRAM_TOKEN: Final = re.compile(r"(?P<bot>\d+):(?P<secret>[\w-]+)")
_TELEGRAM_CHAT: Final = re.compile(r"(?:-?\d{1,32}|@?[A-Za-z_][\w-]+)(?::\d+)?")
_MATRIX_ROOM: Final = re.compile(r"[!#][\w.=\-]+(?::[A-Za-z0-9.-]+(?::\d+)?)?", re.ASCII)
_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")


def apprise_url(channel: Channel) -> str:
    """Return the address, all of its parts quoted.

    Raises:
        ValueError: a field has another form than the receiver's; the message begins with its name.
    """
    match channel:
        case IncomingWebhook():
            return _INCOMING[channel.kind](channel.url.get_secret_value())
        case Telegram():
            return _telegram(channel)
        case Ntfy():
            return _ntfy(channel)
        case Pushover():
            return _pushover(channel)
        case Gotify():
            return _gotify(channel)
        case Matrix():
            return _matrix(channel)
        case AppriseChannel():
            url = channel.url.get_secret_value()
            try:
                refuse_schema(url)
            except ValueError as error:
                raise ValueError(f"url {error}") from error
            return url
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
    if hooks != "hooks" or not _TOKEN.fullmatch(key):
        raise ValueError("url is not one of Mattermost's, https://chat.example.com/hooks/…")
    return _address(schema, *before, key, host=host)


_INCOMING: Final = {
    ChannelKind.SLACK: _slack,
    ChannelKind.DISCORD: _discord,
    ChannelKind.TEAMS: _teams,
    ChannelKind.MATTERMOST: _mattermost,
}


def _telegram(channel: Telegram) -> str:
    token = _TELEGRAM_TOKEN.fullmatch(channel.token.get_secret_value())
    if not token:
        raise ValueError("token is not one of Telegram's BotFather, 123456:ABC…")
    if not _TELEGRAM_CHAT.fullmatch(channel.chat):
        raise ValueError("chat is neither an id such as -1001234567890 nor a name such as @ops")
    host = f"{token['bot']}:{token['secret']}"
    return _address("tgram", channel.chat, host=host, detect="no", preview="no")


def _ntfy(channel: Ntfy) -> str:
    schema, host, path = _place(channel.url.get_secret_value(), "ntfy")
    if len(path) != 1 or not _TOPIC.fullmatch(path[0]):
        raise ValueError("url does not name one topic, such as https://ntfy.sh/deployments")
    token = channel.token.get_secret_value() if channel.token else ""
    options = {"auth": "token"} if token else {}
    return _address(schema, path[0], user=token, host=host, mode="private", **options)


def _pushover(channel: Pushover) -> str:
    user, token = channel.user.get_secret_value(), channel.token.get_secret_value()
    for field, value in (("user", user), ("token", token)):
        if not re.fullmatch(r"[A-Za-z0-9]{30}", value):
            raise ValueError(f"{field} is not one of Pushover's, of 30 letters and digits")
    return _address("pover", user=user, host=token)


def _gotify(channel: Gotify) -> str:
    schema, host, path = _place(channel.url.get_secret_value(), "gotify")
    token = channel.token.get_secret_value()
    if not _TOKEN.fullmatch(token):
        raise ValueError("token is not one of Gotify's applications")
    return _address(schema, *path, token, host=host)


def _matrix(channel: Matrix) -> str:
    schema, host, path = _place(channel.url.get_secret_value(), "matrix")
    if path:
        raise ValueError("url has a path; give the home server alone, https://matrix.example.com")
    if not _MATRIX_ROOM.fullmatch(channel.room):
        raise ValueError("room is neither an id such as !id:example.com nor an alias with #")
    return _address(
        schema, channel.room, user=channel.token.get_secret_value(), host=host,
        mode="off", discovery="no", e2ee="no", hsreq="no",
    )  # fmt: skip


def _place(url: str, schema: str) -> tuple[str, str, list[str]]:
    """Return apprise's schema, the host with its port, and the path of an address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("url is not valid") from error
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise ValueError("url is not an https:// address")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("url has a user, a query or a fragment; leave it out")
    secure = "s" if parts.scheme == "https" else ""
    path = [one for one in parts.path.split("/") if one]
    return f"{schema}{secure}", f"{host}:{port}" if port else host, path
