"""The list of apprise's schemas holds what it promises, in the installed version too."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from aweigh.notifications.senders.apprise_schemas import MODULES, refuse_schema

#: What a module of the list does not use: sockets of its own, programs, the desktop.
_BEYOND_HTTP = re.compile(
    r"^\s*(?:import|from) (?:socket|smtplib|subprocess|websockets?|dbus|gi|ctypes|syslog|paho)\b"
    r"|utils\.socket|os\.system",
    re.MULTILINE,
)


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_module_of_apprise_reaches_its_service_over_http(module: str) -> None:
    loaded = importlib.import_module(f"apprise.plugins.{module}")
    source = inspect.getsourcefile(loaded)
    known = _schemas(loaded)

    assert source is not None
    assert not _BEYOND_HTTP.search(Path(source).read_text())
    assert {schema for schema, name in MODULES.items() if name == module} <= known


def _schemas(module: Any) -> set[str]:
    found: set[str] = set()
    for one in vars(module).values():
        for name in ("protocol", "secure_protocol"):
            given = getattr(one, name, None) if isinstance(one, type) else None
            found |= {given} if isinstance(given, str) else set(given or ())
    return found


@pytest.mark.parametrize("url", ["zulip://bot@org/token", "SLACK://xoxb-1/#ops", "mastodon://t@h"])
def test_service_over_the_network_is_allowed(url: str) -> None:
    refuse_schema(url)


@pytest.mark.parametrize(
    "schema",
    ["dbus", "gnome", "kde", "qt", "glib", "gio", "macosx", "windows", "syslog", "rsyslog",
     "blink1", "growl", "json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos",
     "irc", "mqtt", "xmpp", "smpp", "aprs", "amqp", "fcm", "vapid", "nostr", "file", "exec",
     "http", "https", ""],
)  # fmt: skip
def test_everything_else_is_refused(schema: str) -> None:
    with pytest.raises(ValueError, match=r"not allowed|not an address"):
        refuse_schema(f"{schema}://localhost/x")


@pytest.mark.parametrize(
    "before", ["?", "?image=no&", "?image=no;", "/#ops?", "?to=#ops&", "?%20", "?a?b&"]
)
@pytest.mark.parametrize("parameter", ["template", "attach", "keyfile", "TEMPLATE", "templat%65"])
def test_parameter_that_reads_a_file_is_refused(parameter: str, before: str) -> None:
    with pytest.raises(ValueError, match="reads a file"):
        refuse_schema(f"discord://1/a{before}{parameter}=/etc/passwd")


@pytest.mark.parametrize("url", ["zulip", "zulip://", "zulip://a b/c", "zulip://a\r\nb/c"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|spaces"):
        refuse_schema(url)
