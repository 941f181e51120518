from __future__ import annotations

import pytest

from tests.support.load import Flow, Load, mixed_flows


def test_the_mix_keeps_the_rate_and_holds_all_four_kinds() -> None:
    flows = mixed_flows(900)

    assert sum(flow.rate for flow in flows) == pytest.approx(900)
    assert [flow.name for flow in flows] == ["get", "get-close", "post", "slow"]


def test_a_post_is_sent_with_its_length() -> None:
    flow = Flow(name="post", rate=1, method="POST", path="/orders", body=b"one")

    assert flow.request("shop.example.org") == (
        b"POST /orders HTTP/1.1\r\nHost: shop.example.org\r\nConnection: keep-alive\r\n"
        b"Content-Length: 3\r\n\r\none"
    )


def test_the_host_header_is_the_address_unless_told() -> None:
    flows = mixed_flows(1)

    assert Load(url="http://127.0.0.1:8000", flows=flows).host_header == "127.0.0.1:8000"
    assert Load(url="http://127.0.0.1:8000", flows=flows, host="x.org").host_header == "x.org"
    assert Load(url="http://127.0.0.1", flows=flows).address == ("127.0.0.1", 80)


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:8000", "http://"])
def test_an_address_that_cannot_be_loaded_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="plain HTTP server"):
        Load(url=url, flows=mixed_flows(1))


def test_flows_that_could_not_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        Load(url="http://127.0.0.1", flows=mixed_flows(1) + mixed_flows(2))


def test_a_flow_without_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="rate above zero"):
        Flow(name="get", rate=0)
