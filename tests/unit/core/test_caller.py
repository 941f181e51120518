import pytest

from aweigh.core.caller import caller_at


@pytest.mark.parametrize(("address", "caller"), [
    ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:2", "2001:db8::/64"),
    ("2001:db8:0:1::1", "2001:db8:0:1::/64"), ("fe80::1%eth0", "fe80::/64"),
    ("", ""), ("a web server", "a web server"),
])  # fmt: skip
def test_an_address_is_what_one_caller_has_to_himself(address: str, caller: str) -> None:
    assert caller_at(address) == caller
