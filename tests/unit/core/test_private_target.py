"""Places in private networks that settings open."""

import ipaddress
import json

import pytest

from aweigh.core.private_target import PrivateTarget
from aweigh.core.settings import Settings


@pytest.mark.parametrize(
    ("text", "address", "port", "held"),
    [
        ("10.0.0.0/8", "10.1.2.3", 22, True),
        ("10.0.0.0/8", "11.0.0.1", 22, False),
        ("10.0.0.5", "10.0.0.5", 443, True),
        ("10.0.0.5:3000", "10.0.0.5", 3000, True),
        ("10.0.0.5:3000", "10.0.0.5", 3001, False),
        ("10.0.0.0/24:3000", "10.0.0.9", 3000, True),
        ("fd00::/8", "fd00::5", 443, True),
        ("[fd00::5]:3000", "fd00::5", 3000, True),
        ("[fd00::5]:3000", "fd00::5", 443, False),
        ("10.0.0.0/8", "fd00::5", 443, False),
    ],
)
def test_a_target_is_a_network_and_perhaps_one_port_of_it(
    text: str, address: str, port: int, held: bool
) -> None:
    assert PrivateTarget.parse(text).holds(ipaddress.ip_address(address), port) is held


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8", "10.0.0.5/32:3000", "[fd00::5/128]:3000", "fd00::/8"]
)
def test_a_target_is_written_as_it_is_read(text: str) -> None:
    assert str(PrivateTarget.parse(text)) == text


@pytest.mark.parametrize("text", ["", "git.internal", "10.0.0.5:0", "10.0.0.5:99999", "10.0.0.5/8"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PrivateTarget.parse(text)


def test_settings_are_given_a_list_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["10.1.0.0/16", "10.2.0.5:3000"]
    monkeypatch.setenv("AWEIGH_PRIVATE_TARGETS", json.dumps(given))

    assert Settings().private_targets == tuple(map(PrivateTarget.parse, given))
