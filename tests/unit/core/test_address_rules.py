"""Where requests that are made for a user may go."""

import ipaddress

import pytest

from aweigh.core.address_rules import is_public


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "100.100.100.200", "127.0.0.1", "168.63.129.16", "169.254.169.254",
        "192.0.0.192", "192.168.1.1", "224.0.0.1", "0.0.0.1", "::", "::1", "fc00::1", "fe80::1",
        "fec0::1", "ff02::1", "::169.254.169.254", "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public_however_it_is_written(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["140.82.121.3", "2a00:1450:4001:82b::200e", "::ffff:140.82.121.3", "64:ff9b::140.82.121.3",
     "2002:8c52:7903::1"],
)  # fmt: skip
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
