"""A hiccup ends the demo in one sentence."""

import json
from collections.abc import Callable

import pytest

from aweigh.core.errors import AweighError
from aweigh.core.settings import Settings
from examples.demo.swap import SwapDemo
from tests.support.http import said, serving


def healthy(head: str) -> bytes:
    if head.startswith("GET /v1/deployments"):
        return said(200, '{"items": []}')
    source = {"type": "image", "image": "aweigh/demo/application"}
    application = {"id": "app_1", "slug": "demo", "source": source, "removing": False}
    return said(200, json.dumps(application))


def knocked_over(_head: str) -> bytes:
    return b""


def in_html(_head: str) -> bytes:
    return said(502, "<html>Bad Gateway</html>")


def engine(head: str) -> bytes:
    """It tells its version and then no more."""
    return said(200, '{"ApiVersion": "1.44"}') if head.startswith("GET /version ") else b""


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (knocked_over, "the API did not answer: RemoteProtocolError"),
        (in_html, "the API answered 502, and no JSON"),
        (healthy, "the demo's image could not be made: .*Connection aborted"),
    ],
)
async def test_what_the_demo_stumbles_over_is_said_in_one_sentence(
    answer: Callable[[str], bytes], sentence: str
) -> None:
    async with serving(answer) as api, serving(engine) as docker:
        settings = Settings(
            api_url=f"http://127.0.0.1:{api.port}", docker_host=f"tcp://127.0.0.1:{docker.port}"
        )

        with pytest.raises(AweighError, match=sentence):
            await SwapDemo(settings, "token", lambda _: None).run()
