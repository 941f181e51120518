"""A secret is hidden however it is written: encoded, escaped, wrapped, in pieces."""

import base64
import html
import json
import quopri
import re
import shlex
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aweigh.core.text import CUT
from aweigh.secrets.masking import HIDDEN
from aweigh.secrets.value import mask, mask_lines

SECRETS = [
    "correct-horse-battery",
    "s3cr3t",
    "p@ss/w:rd+=?&%",
    "it's \"quoted\" \\ $HOME `x` <b>&amp;{{y}}",
    "pässwörd-überlang",
    "\N{LOCK}\N{KEY} 日本語のパスワード",
    "two  spaces\tand a tab",
    "line one is long\nline two is long\nthree",
    "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nBKcwggSjAgEAAoIBAQC7\n-----END KEY-----\n",
    "{\"user\": \"me\", \"key\": \"-----BEGIN\\nabcdef\\n\"}",
    "C:\\\\new\\\\table\\x41",
    "100%25 of %41",
    "aaaaaaaaaa",
    "".join(f"{number}-key-" for number in range(300)),
    "".join(f"{number}Word" for number in range(20)),
]  # fmt: skip


def every_byte(before: str, behind: str = "", upper: bool = True) -> Callable[[str], str]:
    return lambda value: "".join(
        f"{before}{byte:02X}{behind}" if upper else f"{before}{byte:02x}{behind}"
        for byte in value.encode()
    )


def every_char(form: str) -> Callable[[str], str]:
    return lambda value: "".join(form.format(ord(char)) for char in value)


def basic(user: str) -> Callable[[str], str]:
    return lambda value: base64.b64encode(f"{user}:{value}".encode()).decode()


def utf16(value: str) -> str:
    units = value.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def wrapped(width: int, join: Callable[[list[str]], str] = " ".join) -> Callable[[str], str]:
    """Base64 in lines that somebody has put together in some way."""
    return lambda value: join(textwrap.wrap(basic("ci")(value), width))


def pieces(value: str, width: int) -> list[str]:
    return [value[at : at + width] for at in range(0, len(value), width)]


def hexadecimal_lines(value: str) -> str:
    return " ".join(pieces(value.encode().hex(), 60))


def without_padding(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def ansi_c(value: str) -> str:
    """As bash writes what it was given, in a trace of what it runs."""
    special = {"\n": "\\n", "\t": "\\t", "'": "\\'", "\\": "\\\\"}
    return "$'" + "".join(special.get(char, char) for char in value) + "'"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 without padding": without_padding,
    "base64 in a URL": lambda value: quote(base64.b64encode(value.encode()).decode(), safe=""),
    "base64 in JSON": lambda value: basic("x")(value).replace("/", "\\/"),
    "base64 in lines": lambda value: base64.encodebytes(value.encode()).decode(),
    "base64 in short lines": lambda value: "\r\n".join(textwrap.wrap(basic("x")(value), 19)),
    "base64 in lines of 76 on one": wrapped(76),
    "base64 in lines of 60 on one": wrapped(60),
    "base64 in lines of 19 on one": wrapped(19),
    "base64 in lines in JSON": wrapped(76, lambda lines: json.dumps("\n".join(lines))),
    "base64 in lines in JSON in JSON": wrapped(
        60, lambda lines: json.dumps(json.dumps("\r\n".join(lines)))
    ),
    "base64 in lines in a URL": wrapped(60, lambda lines: quote("\r\n".join(lines), safe="")),
    "base64 in lines in HTML": wrapped(60, "&#10;".join),
    "base64 in lines in XML": wrapped(60, "&#xA;".join),
    "base64 in a list": wrapped(60, json.dumps),
    "base64 in a list in JSON": wrapped(60, lambda lines: json.dumps(json.dumps(lines))),
    "base64 in a list over lines": wrapped(60, lambda lines: json.dumps(lines, indent=2)),
    "base64 in a list in Python": wrapped(60, repr),
    "base64 behind commas": wrapped(19, ",".join),
    "base64 by git": wrapped(76, lambda lines: "\n".join(f"remote: {line}" for line in lines)),
    "base64 by git on one line": wrapped(76, " remote: ".join),
    "base64 by BuildKit": wrapped(60, lambda lines: "\n".join(f"#7 0.1 {one}" for one in lines)),
    "base64 by BuildKit on one line": wrapped(60, " #7 0.1 ".join),
    "base64 behind times": wrapped(60, "\n2026-01-01T00:00:00.000Z ".join),
    "base64 behind bars": wrapped(60, "\n  | ".join),
    "base64 quoted in a mail": wrapped(60, "\n> > ".join),
    "Basic, user of 2": basic("ci"),
    "Basic, user of 3": basic("bob"),
    "base64 of what follows": lambda value: base64.b64encode(f"{value}@h".encode()).decode(),
    "base64 of JSON": lambda value: base64.b64encode(json.dumps([value]).encode()).decode(),
    "base64 of a URL": lambda value: base64.b64encode(quote(value, safe="").encode()).decode(),
    "hexadecimal": lambda value: value.encode().hex(),
    "HEXADECIMAL": lambda value: value.encode().hex().upper(),
    "hexadecimal with colons": lambda value: value.encode().hex(":"),
    "hexadecimal with spaces": lambda value: value.encode().hex(" "),
    "hexadecimal in lines": hexadecimal_lines,
    "an array in C": lambda value: ", ".join(f"0x{byte:02x}" for byte in value.encode()),
    "an array of numbers": lambda value: json.dumps(list(value.encode())),
    "an array over lines": lambda value: json.dumps(list(value.encode()), indent=1),
    "a slice in Go": lambda value: str(list(value.encode())).replace(",", ""),
    "quoted for a path": quote,
    "quoted for a query": quote_plus,
    "quoted, nothing safe": lambda value: quote(value, safe=""),
    "quoted in lower case": lambda value: re.sub(
        "%..", lambda found: found[0].lower(), quote(value, safe="")
    ),
    "quoted twice": lambda value: quote(quote(value, safe=""), safe=""),
    "every byte %": every_byte("%"),
    "every byte % in lower case": every_byte("%", upper=False),
    "every byte \\x": every_byte("\\x", upper=False),
    "every byte octal": lambda value: "".join(f"\\{byte:03o}" for byte in value.encode()),
    "every character \\u": utf16,
    "every character &#": every_char("&#{};"),
    "every character &#x": every_char("&#x{:X};"),
    "JSON": json.dumps,
    "JSON in its own letters": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON with \\/": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON for HTML": lambda value: json.dumps(value).translate({38: "\\u0026", 60: "\\u003c"}),
    "JSON in JSON": lambda value: json.dumps(json.dumps([value])),
    "Python": repr,
    "Python, ASCII": ascii,
    "Python, bytes": lambda value: repr(value.encode()),
    "shell": shlex.quote,
    "shell with double quotes": lambda value: value.replace("'", "'\"'\"'"),
    "shell with backslashes": lambda value: re.sub(r"([^\w\n-])", r"\\\1", value),
    "bash -x": ansi_c,
    "SQL": lambda value: value.replace("'", "''"),
    "CSV": lambda value: value.replace('"', '""'),
    "printf": lambda value: value.replace("%", "%%"),
    "compose": lambda value: value.replace("$", "$$"),
    "HTML": html.escape,
    "HTML twice": lambda value: html.escape(html.escape(value)),
    "quoted-printable": lambda value: quopri.encodestring(value.encode(), quotetabs=True).decode(),
    "quoted-printable with CRLF": lambda value: (
        quopri.encodestring(value.encode()).decode().replace("\n", "\r\n")
    ),
    "a header": lambda value: quopri.encodestring(value.encode(), header=True).decode(),
    "coloured": lambda value: "\x1b[0m".join(
        f"\x1b[1;31m{value[at : at + 5]}" for at in range(0, len(value), 5)
    ),
    "with carriage returns": lambda value: "\r".join(value),
    "in lines of 8": lambda value: "\n".join(pieces(value, 8)),
    "in lines of 8 on one": lambda value: " ".join(pieces(value, 8)),
    "in a list": lambda value: json.dumps(pieces(value, 12)),
    "by git": lambda value: "\n".join(f"remote: {one}" for one in pieces(value, 40)),
    "by git on one line": lambda value: " ".join(f"remote: {one}" for one in pieces(value, 40)),
    "characters in Go": lambda value: " ".join(f"'{char}'" for char in value),
    "in a build": lambda value: "\n".join(
        f"#7 {at / 10} {value[at : at + 20]}" for at in range(0, len(value), 20)
    ),
    "with white space run together": lambda value: " ".join(value.split()),
}  # fmt: skip


def alphanumerics(text: str) -> set[str]:
    """What a reader could still put together: runs of letters and digits."""
    return set(re.findall(r"[0-9A-Za-z]{7,}", text))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_hidden_in_every_spelling(spelling: str) -> None:
    for secret in SECRETS:
        masked = mask(f"<<{SPELLINGS[spelling](secret)}>>", [secret])

        assert HIDDEN in masked
        assert alphanumerics(masked) == set(), masked


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_no_secret_stays(spelling: str) -> None:
    """Another value in the same spelling."""
    text = f"<<{SPELLINGS[spelling]('quite-another-value')}>>"

    assert mask(text, SECRETS) == text


@pytest.mark.parametrize("spelling", ["base64", "hexadecimal", "every byte %", "JSON", "shell"])
@pytest.mark.parametrize("end", ["", CUT])
def test_a_spelling_that_was_cut_is_hidden(spelling: str, end: str) -> None:
    secret = "p@ss/wörd-that-is-long"
    written = SPELLINGS[spelling](secret)

    masked = mask(f"it is {written[: len(written) // 2]}{end}", [secret])

    assert alphanumerics(masked) <= set()
    assert HIDDEN in masked


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=40),
    st.sampled_from(sorted(SPELLINGS)),
    st.text(max_size=3),
)
@example("0\\'000", "shell", "")
def test_any_value_is_hidden_in_every_spelling(secret: str, spelling: str, before: str) -> None:
    assume(len("".join(secret.split())) >= 6)
    written = SPELLINGS[spelling](secret)

    assert HIDDEN in mask(f"{before}[{written}]", [secret])


def test_a_secret_within_one_line_of_an_error_of_an_engine() -> None:
    secret = "kö/rr+ekt"
    header = base64.b64encode(f"ci:{secret}".encode()).decode()
    body = json.dumps({"errors": [{"message": f"no: Basic {header}"}]})
    text = f"error parsing HTTP 403 response body: unexpected: {json.dumps(body)}"

    masked = mask(text, [secret])

    assert header[4:] not in masked
    assert masked.startswith("error parsing HTTP 403 response body")


def test_the_password_of_an_address_is_a_secret_of_its_own() -> None:
    url = "postgres://shop:b%40ttery%2Fstaple@db.internal:5432/shop"

    assert mask("password b@ttery/staple refused for db.internal", [url]) == (
        f"password {HIDDEN} refused for db.internal"
    )


def test_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    assert mask("abcdefgh", ["abcdef", "cdefgh"]) == HIDDEN


def test_a_row_of_one_character_is_hidden_whole() -> None:
    assert mask(f"a {'-' * 100} b", ["------------"]) == f"a {HIDDEN} b"


def test_lines_stay_as_many_as_they_were() -> None:
    secret = "first line of it\nx\nlast line of it"
    lines = [
        "",
        *secret.split("\n"),
        "",
        "Zmlyc3QgbGluZSBvZiBpdAp4",
        "Cmxhc3QgbGluZSBvZiBpdA==",
        "",
    ]

    assert mask_lines(lines, [secret]) == ["", HIDDEN, HIDDEN, HIDDEN, "", HIDDEN, HIDDEN, ""]


def test_white_space_is_no_secret() -> None:
    assert mask("a            b", ["          ", "\n\n\n\n\n\n\n"]) == "a            b"


def test_long_texts_are_masked_as_short_ones_are() -> None:
    """They are looked through in another way."""
    secrets = [secret for secret in SECRETS if "\n" not in secret]
    lines = [f"{spell(secret)}!" for spell in SPELLINGS.values() for secret in secrets]
    text = "\n--\n".join(lines)

    assert len(text) > 64 * 1024
    assert mask(text, secrets) == "\n--\n".join(mask(line, secrets) for line in lines)
