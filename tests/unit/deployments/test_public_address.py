"""Hosts and path prefixes, as people write them and as they are kept."""

import pytest
from dirty_equals import IsStr

from tests.support.installation import settings_of
from tests.support.refusals import refusals


@pytest.mark.parametrize(
    "host",
    ["", "shop`.example.com", "shop_1.example.com", "-shop.com", "shop-.com", "shop..com", ".com",
     "shop.com..", "shop com", "a" * 64, ".".join(["a" * 60] * 5), "{{host}}", ".", "\0.com"],
)  # fmt: skip
def test_a_wrong_host_is_named(host: str) -> None:
    good = {"host": "good.example.com"}

    assert refusals(domains=[good, {"host": host}]) == {
        "domains.1.host": "is not a host name (letters, digits, '-' and '.')"
    }


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("https://shop.com/x", "is a URL"),
        ("shop.com/x", "holds a path"),
        ("shop.com:80", "holds a port"),
        ("[::1]", "holds a port"),
        ("*.shop.com", "holds a wildcard"),
        ("ops@shop.com", "is an e-mail address"),
        ("☃.example.com", "is not a host name that can be written in ASCII"),
        ("ü" * 60 + ".com", "is not a host name that can be written in ASCII"),
        ("a\u3002\u3002b", "is not a host name that can be written in ASCII"),
        ("\ud800.com", "is not a host name that can be written in ASCII"),
    ],
)
def test_what_is_written_for_a_host_is_named(host: str, what: str) -> None:
    assert refusals(domains=[{"host": host}]) == {"domains.0.host": IsStr(regex=f"{what}.*")}


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("localhost", "localhost"),
        ("a.b", "a.b"),
        ("1.example.com", "1.example.com"),
        ("Shop.Example.COM", "shop.example.com"),
        ("shop.example.com.", "shop.example.com"),
        (" shop.example.com\n", "shop.example.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),
        ("XN--Mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("日本語。jp", "xn--wgv71a119e.jp"),
        ("\uff53\uff48\uff4f\uff50\uff0eexample.com", "shop.example.com"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_a_host_is_kept_in_one_spelling(written: str, host: str) -> None:
    assert settings_of(domains=[{"host": written}]).domains[0].host == host


@pytest.mark.parametrize(
    "path",
    ["", "api", "/`", "/a`) || Host(`b", "/{{x}}", "/..", "/a/../b", "/./a", "/a//b", "//a", "/a//",
     "//", "/a b", "/a\n", "/a?b", "/a#b", "/%2e%2e", '/"', "/ü", "/" + "a" * 255],
)  # fmt: skip
def test_a_wrong_path_is_named(path: str) -> None:
    assert refusals(domains=[{"host": "a.b", "path": path}]) == {
        "domains.0.path": IsStr(regex="is not a path prefix: it begins with '/'.*")
    }


@pytest.mark.parametrize("path", ["/*", "/api/*", "*", "/a*b", "/api/**"])
def test_an_asterisk_in_a_path_is_not_taken_literally(path: str) -> None:
    assert refusals(domains=[{"host": "a.b", "path": path}]) == {
        "domains.0.path": "holds a '*': a prefix takes everything below it without one"
    }


@pytest.mark.parametrize(
    ("written", "path"),
    [("/", "/"), ("/a", "/a"), ("/a/", "/a"), ("/a/b/", "/a/b"), ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
     ("/@a/$b", "/@a/$b"), ("/.well-known/x", "/.well-known/x")],
)  # fmt: skip
def test_a_path_is_kept_in_one_spelling(written: str, path: str) -> None:
    assert settings_of(domains=[{"host": "a.b", "path": written}]).domains[0].path == path
