"""Who listens on a port of this machine."""

import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from aweigh.servers.ports import holder_of

ME = f"{psutil.Process().name()} (pid {os.getpid()})"


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["4", "6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family, address = request.param
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        yield listening


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def test_a_listener_is_named(listener: socket.socket) -> None:
    assert holder_of(port_of(listener)) == ME


def test_a_free_port_has_no_holder(listener: socket.socket) -> None:
    port = port_of(listener)
    listener.close()

    assert holder_of(port) is None


def test_a_listener_on_tcp_does_not_hold_the_port_of_udp(listener: socket.socket) -> None:
    assert holder_of(port_of(listener), "udp") is None


def test_a_socket_of_udp_is_named() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))

        assert holder_of(port_of(bound), "udp") == ME
        assert holder_of(port_of(bound)) is None


def test_a_connection_does_not_hold_its_own_port(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()[:2]) as client:
        assert holder_of(port_of(client)) is None
