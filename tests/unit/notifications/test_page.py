"""The examples of docs/notifications.md: one of each kind, as the API and apprise take it."""

import json
import re
from pathlib import Path

from pydantic import TypeAdapter

from aweigh.notifications.channel import Channel, Email, Webhook
from aweigh.notifications.channel_settings import ChannelKind
from aweigh.notifications.senders.apprise_schemas import MODULES
from aweigh.notifications.senders.apprise_service import load_service
from aweigh.notifications.senders.apprise_url import apprise_url

PAGE = Path(__file__).parents[3] / "docs" / "notifications.md"


def test_every_kind_has_an_example_that_works() -> None:
    blocks = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    adapter: TypeAdapter[Channel] = TypeAdapter(Channel)
    given = [adapter.validate_python(json.loads(block)) for block in blocks]

    assert {channel.kind for channel in given} == set(ChannelKind)
    for channel in given:
        if not isinstance(channel, Webhook | Email):
            url = apprise_url(channel)
            assert len(load_service(MODULES[url.partition("://")[0]], url)()) == 1
