"""What is told of an address, as far as no process of its own is needed."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from aweigh.notifications.senders.apprise_check import _UNCOUNTED, _receivers
from aweigh.notifications.senders.apprise_schemas import MODULES
from aweigh.notifications.senders.apprise_service import load_service
from aweigh.notifications.senders.apprise_url import apprise_url
from tests.support.notifying import channel

#: They send parts of a message one after the other, or to all who are at the receiver.
_OF_ONE_RECEIVER = {"bluesky", "discord", "emby", "fluxer", "google_chat"}


def service(url: str) -> Any:
    return load_service(MODULES[url.partition("://")[0]], url)()


def test_every_service_counts_its_receivers() -> None:
    uncounted = set()
    for module in set(MODULES.values()):
        path = inspect.getsourcefile(importlib.import_module(f"apprise.plugins.{module}"))
        assert path is not None
        source = Path(path).read_text()
        if re.search(r"is_delivered\(", source) and "def __len__" not in source:
            uncounted.add(module)

    assert uncounted == _UNCOUNTED.keys() | _OF_ONE_RECEIVER


@pytest.mark.parametrize(
    ("url", "receivers"),
    [
        ("matrixs://t@m.example.com/%23a", 1),
        ("matrixs://t@m.example.com/%23a/%23b", 2),
        ("matrixs://t@m.example.com/%23a?to=%23b,%23c&retry=3", 3),
        ("humhubs://u:p@h.example.com/1", 1),
        ("humhubs://u:p@h.example.com/1/2", 2),
        (f"pushplus://{'ab' * 16}", 1),
        (f"pushplus://{'ab' * 16}/%23t1/%23t2", 2),
    ],
)
def test_receivers_are_counted_once(url: str, receivers: int) -> None:
    module = MODULES[url.partition("://")[0]]

    assert _receivers(module, service(url)) == receivers


@pytest.mark.parametrize("token", ["a%41", "a/b", "a:b", "a@b", "a#b?c=d&e;f", "a+b", "[::1]", "%"])
def test_token_arrives_at_apprise_as_it_was_given(token: str) -> None:
    ntfy = channel("ntfy", url="https://ntfy.sh/deployments", token=token)
    matrix = channel("matrix", url="https://m.example.com", token=token, room="#ops:example.com")

    assert service(apprise_url(ntfy)).token == token
    assert service(apprise_url(matrix)).password == token
    assert service(apprise_url(matrix)).rooms == ["#ops:example.com"]
