"""Static addresses from a counter that goes on rising over restarts."""

import ipaddress
from pathlib import Path

import pytest

from aweigh.containers.addresses import Addresses
from aweigh.containers.subnet import Bridge
from aweigh.core.errors import AweighError

BRIDGE = Bridge("aweigh", ipaddress.IPv4Network("10.201.0.128/25"))
FIRST, LAST = BRIDGE.static_addresses
ALL = [str(BRIDGE.subnet[offset]) for offset in range(FIRST, LAST + 1)]


@pytest.fixture
def addresses(tmp_path: Path) -> Addresses:
    return Addresses(tmp_path / "next-address")


def take(addresses: Addresses, count: int = 1, in_use: set[str] | None = None) -> list[str]:
    return addresses.take(BRIDGE, count, in_use or set())


def test_addresses_rise(addresses: Addresses) -> None:
    assert take(addresses, 3) + take(addresses, 2) == ALL[:5]


def test_an_address_that_was_freed_is_not_given_to_the_next_one(addresses: Addresses) -> None:
    given = [take(addresses)[0] for _ in ALL]

    assert len(set(given)) == len(ALL) > 100


def test_the_counter_outlives_the_process(addresses: Addresses, tmp_path: Path) -> None:
    take(addresses, 2)

    assert take(Addresses(tmp_path / "next-address")) == [ALL[2]]


def test_addresses_in_use_are_passed_over(addresses: Addresses) -> None:
    assert take(addresses, 2, {ALL[0], ALL[2]}) == [ALL[1], ALL[3]]


def test_after_the_last_comes_the_first(addresses: Addresses) -> None:
    take(addresses, len(ALL) - 1)

    assert take(addresses, 3) == [ALL[-1], ALL[0], ALL[1]]


def test_after_exactly_the_last_comes_the_first(addresses: Addresses) -> None:
    take(addresses, len(ALL))

    assert take(addresses) == [ALL[0]]


def test_the_only_free_address_is_found_wherever_the_counter_stands(addresses: Addresses) -> None:
    take(addresses, 90)

    assert take(addresses, 1, set(ALL) - {ALL[7]}) == [ALL[7]]


def test_no_address_is_given_twice_in_one_answer(addresses: Addresses) -> None:
    with pytest.raises(AweighError, match=r"every address of 10\.201\.0\.128/25 is in use"):
        take(addresses, 2, set(ALL) - {ALL[7]})


def test_a_full_subnet_is_told(addresses: Addresses) -> None:
    with pytest.raises(AweighError, match="every address"):
        take(addresses, 1, set(ALL))

    assert take(addresses) == [ALL[0]]


def test_a_counter_of_another_subnet_is_no_harm(addresses: Addresses, tmp_path: Path) -> None:
    (tmp_path / "next-address").write_text("65000")

    assert take(addresses)[0] in ALL


@pytest.mark.parametrize("subnet", ["10.201.0.0/16", "10.201.0.128/25"])
def test_gateway_and_dynamic_addresses_are_never_given(subnet: str) -> None:
    bridge = Bridge("aweigh", ipaddress.IPv4Network(subnet))
    first, last = bridge.static_addresses
    dynamic = ipaddress.IPv4Network(bridge.dynamic_range)

    assert ipaddress.IPv4Address(bridge.gateway) < bridge.subnet[first]
    assert bridge.subnet[last] < dynamic[0]
    assert dynamic[-1] == bridge.subnet[-1]
