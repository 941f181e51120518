"""A notification as each kind of receiver shows it.

The title, lines and log come from outside in part, so each receiver's markup is escaped, and
nobody can be mentioned. What a receiver does not take is cut: first the oldest lines of the log.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from aweigh.core.text import CUT
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.delivery import Notification

#: An invisible character: `@everyone` with it after the first sign mentions nobody.
_BREAK: Final = "\u200b"
_MARKDOWN: Final = re.compile(r"([\\`*_~|\[\](){}<>#+\-.!$])")
_URL_SAFE: Final = ":/?#@!$&+,;=%-._~"
_SHORTER: Final = 0.8


@dataclass(frozen=True)
class Rendering:
    title: str
    body: str
    format: Literal["text", "html"] = "text"


@dataclass(frozen=True)
class _Dialect:
    """How a receiver writes text, code and links; the title is a field, or the first line."""

    most: int
    escape: Callable[[str], str]
    code: Callable[[Sequence[str]], str]
    link: Callable[[str, str], str]
    title: Callable[[str], str] | None = None
    newline: str = "\n"
    format: Literal["text", "html"] = "text"
    #: The unit of `most`.
    length: Callable[[str], int] = len


def render(kind: ChannelKind, notification: Notification) -> Rendering:
    dialect = _DIALECTS[kind]
    lines = notification.text.split("\n")
    for first in range(len(notification.log) + 1):
        body = _body(dialect, notification, lines, notification.log[first:])
        if dialect.length(body) <= dialect.most:
            break
    while dialect.length(body) > dialect.most and lines:
        longest = max(range(len(lines)), key=lambda index: len(lines[index]))
        kept = lines[longest].removesuffix(CUT)
        lines[longest] = kept[: int(len(kept) * _SHORTER)] + CUT
        if len(lines[longest]) < 8:
            del lines[longest]
        body = _body(dialect, notification, lines, ())
    title = "" if dialect.title else _TITLES.get(kind, dialect.escape)(notification.title)
    return Rendering(title, body, dialect.format)


def _body(
    dialect: _Dialect, notification: Notification, lines: Sequence[str], log: Sequence[str]
) -> str:
    parts = [dialect.escape(line) for line in lines]
    if dialect.title:
        parts.insert(0, dialect.title(dialect.escape(notification.title)))
    if log:
        parts.append(dialect.code(log))
    parts += [dialect.link(label, _safe(url)) for label, url in notification.links]
    return dialect.newline.join(parts)


def _safe(url: str) -> str:
    """Return a link without characters that end it in some markup."""
    return quote(url, safe=_URL_SAFE)


def _plain(text: str) -> str:
    return text


def _without_mentions(text: str) -> str:
    return text.replace("@", f"@{_BREAK}")


def _defused(text: str) -> str:
    """Return text for receivers whose markup is not known here."""
    return re.sub(r"([@<\[])", rf"\1{_BREAK}", text)


def _markdown(text: str) -> str:
    return _without_mentions(_MARKDOWN.sub(r"\\\1", text))


def _fenced(lines: Sequence[str]) -> str:
    # Mattermost knows Slack's `<!channel>` too.
    inner = re.sub("([`<])", rf"\1{_BREAK}", "\n".join(lines))
    return f"```\n{_without_mentions(inner)}\n```"


def _card(text: str) -> str:
    """Return text for an Adaptive Card, which knows `<at>…</at>` and `{{DATE(…)}}` too."""
    return _markdown(text).replace("\\<", f"<{_BREAK}").replace("\\{", f"{{{_BREAK}")


def _telegram(text: str) -> str:
    return html.escape(_without_mentions(text), quote=False)


def _slack(text: str) -> str:
    return html.escape(text, quote=False)


def _named(label: str, url: str) -> str:
    return f"{label}: {url}"


def _markdown_link(label: str, url: str) -> str:
    return f"[{label}](<{url}>)"


def _text_dialect(most: int, escape: Callable[[str], str], **others: object) -> _Dialect:
    def code(lines: Sequence[str]) -> str:
        return "\n" + "\n".join(map(escape, lines)) + "\n"

    return _Dialect(most, escape, code, _named, **others)  # type: ignore[arg-type]


_DIALECTS: Final = {
    ChannelKind.SLACK: _Dialect(
        8000, _slack, lambda lines: "\n" + "\n".join(map(_slack, lines)) + "\n",
        lambda label, url: f"<{html.escape(url, quote=False)}|{label}>",
    ),
    ChannelKind.DISCORD: _Dialect(
        1900, _markdown, _fenced, _markdown_link, title=lambda title: f"**{title}**"
    ),
    ChannelKind.TEAMS: _Dialect(
        8000, _card, lambda lines: "\n\n".join(map(_card, lines)),
        lambda label, url: f"[{label}]({url})", newline="\n\n",
    ),
    ChannelKind.MATTERMOST: _Dialect(
        3900, _markdown, _fenced, _markdown_link, title=lambda title: f"**{title}**"
    ),
    ChannelKind.TELEGRAM: _Dialect(
        3900, _telegram, lambda lines: f"<pre>{_telegram(chr(10).join(lines))}</pre>",
        lambda label, url: f'<a href="{html.escape(url)}">{label}</a>',
        title=lambda title: f"<b>{title}</b>", format="html",
    ),
    # Longer messages become attachments.
    ChannelKind.NTFY: _text_dialect(3800, _plain, length=lambda text: len(text.encode())),
    ChannelKind.PUSHOVER: _text_dialect(1000, _plain),
    ChannelKind.GOTIFY: _text_dialect(8000, _plain),
    ChannelKind.MATRIX: _text_dialect(8000, _without_mentions, title=_plain),
    ChannelKind.EMAIL: _text_dialect(20_000, _plain),
    ChannelKind.APPRISE: _text_dialect(8000, _defused),
}  # fmt: skip
#: Titles that apprise escapes by itself.
_TITLES: Final = {ChannelKind.SLACK: _plain}
