"""The forms in which a value can appear in output: escaped, encoded, wrapped, coloured.

A needle is a value in one form, as a sequence of units. A unit is a regular expression for one
character (or byte), so that escapes of all kinds, mixed and nested, need one needle and not many.
The expressions work in both `re2` and `re`, and match bytes.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html.entities import html5
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from aweigh.core.text import CUT

#: A shorter value is not masked: that would blank out ordinary text.
SHORTEST: Final = 6

_SOFT_BREAK: Final = rb"(?:=\r?\n)?"
_COLOUR: Final = rb"\[[0-9;?]*[@-~]"
#: Prefixes of lines: git's, BuildKit's, a time, a progress bar, a quotation in a mail.
_PREFIX: Final = rb"remote: |#\d+ (?:\d+\.\d+ )?|\d\d\d\d-\d\d-\d\dT[0-9:.]+Z |[|>] "
#: Separators between two characters of a wrapped value, which may then be joined into one line, a
#: list or a URL. No two alternatives start alike, so a row of them can be read in only one way.
_GAP: Final = (
    rb"[ \t\r\n\"',]|=\r?\n|%(?:25)*(?:20|0[aAdD])|&(?:amp;)*#(?:1[03]|[xX][aAdD]);|"
    + CUT.encode() + rb"\r?\n|" + _PREFIX + rb"|\x1b" + _COLOUR
)  # fmt: skip
_ESCAPED_GAP: Final = rb"\\+(?:[rn\"']|u000[aAdD]|(?:x1b|033|u001b|e)" + _COLOUR + rb")"
NOISE: Final = rb"(?:" + _GAP + rb"|" + _ESCAPED_GAP + rb")*"

_PARTS: Final = re.compile(r"\s+|\\+|.", re.DOTALL)
#: White space can be merged, and escaped in many ways.
_SPACE: Final = (
    rb"(?:[ \t\r\n\x0b\x0c+_]|%(?:25)*(?:20|0[9a-dA-D])|=(?:20|0[9a-dA-D])|&nbsp;"
    rb"|\\+(?:[nrtvf \t\n\r\x0b\x0c]|x(?:20|0[9a-dA-D])|0(?:40|1[1-5])"
    rb"|u(?:00(?:20|0[9a-dA-D])|\{0*(?:20|[9a-dA-D])\}))"
    rb"|&(?:amp;)*(?:Tab|NewLine|#(?:0*(?:32|9|1[0-3])|[xX]0*(?:20|[9a-dA-D])));)+"
)
_BACKSLASH: Final = (
    rb"(?:\\(?:x5[cC]|134|u005[cC])?|%(?:25)*5[cC]|=5[cC]"
    rb"|&(?:amp;)*(?:bsol|#(?:0*92|[xX]0*5[cC]));)"
)
_BACKSLASHES: Final = _BACKSLASH + rb"(?:(?:" + _GAP + rb")*" + _BACKSLASH + rb")*"
#: How shells and others double a character that ends a quotation or starts an expansion.
_DOUBLED: Final = {
    "'": rb"""'\\+''|'"'"'|[\\`]*''""",
    '"': rb"""[\\`]*\"\"""",
    "%": rb"%%",
    "$": rb"\$\$",
    "{": rb"\{\{",
    "}": rb"\}\}",
    "&": rb"&(?:amp;)+",
}
_CONTROL: Final = {"\a": b"a", "\b": b"b", "\x1b": b"e"}
#: The rest of a base64 group, which contains the last bits of the value.
_BASE64_END: Final = rb"[A-Za-z0-9+/_-]?(?:=|%(?:25)*3[dD]|\\+u003[dD])*"


@dataclass(frozen=True)
class Needle:
    """A value in one form; `end` may follow it, and is hidden with it."""

    units: tuple[bytes, ...]
    #: The bytes with which it can start unescaped.
    begins: frozenset[int]
    plain: bytes = b""
    end: bytes = b""

    @property
    def anchor(self) -> bytes:
        """An expression that finds its beginning only."""
        return (NOISE + b"?").join(self.units[:SHORTEST])


def needles(secret: str) -> set[Needle]:
    """Return all forms in which a secret can appear in a text."""
    return {needle for piece in set(_pieces(secret)) for needle in _spellings(piece)}


def _pieces(secret: str) -> Iterator[str]:
    """Yield a value, its lines, and the password in a URL, unless they are too short."""
    unfolded = secret.replace("\\r", "\r").replace("\\n", "\n")
    for piece in (secret, *secret.splitlines(), *unfolded.splitlines(), *_passwords(secret)):
        for one in {piece, piece.strip()}:
            if len(one) >= SHORTEST and not one.isspace():
                yield one


def _passwords(secret: str) -> Iterator[str]:
    if "://" not in secret or "@" not in secret:
        return
    try:
        password = urlsplit(secret.strip()).password or ""
    except ValueError:
        return
    yield from (password, unquote(password))


def _spellings(piece: str) -> Iterator[Needle]:
    data = piece.encode(errors="surrogatepass")
    units = _text_units(piece)
    plain = data if units else b""
    yield Needle(units or (re.escape(data),), frozenset(data[:1]), plain)
    forms = {data, quote(piece, safe="").encode(), json.dumps(piece)[1:-1].encode()}
    if not piece.isascii():
        forms.add(piece.encode("latin-1", errors="replace"))
    for form in forms:
        yield from _base64(form)
    yield _hexadecimal(data)
    yield _decimal(data)


def _text_units(piece: str) -> tuple[bytes, ...]:
    """Return one unit per character, and one per run of white space; () if those are too few."""
    parts = _PARTS.findall(piece)
    if len(parts) < SHORTEST:
        return ()
    return (_unit(parts[0], _escaped), *(_unit(part, _character) for part in parts[1:]))


def _unit(part: str, of_character: Callable[[str], bytes]) -> bytes:
    if part.isspace():
        return _spaces(part)
    return _BACKSLASHES if part[0] == "\\" else of_character(part)


def _spaces(run: str) -> bytes:
    """Return an expression for white space, in the widest sense of any program."""
    others = sorted(set(run) - set(" \t\r\n\v\f"))
    return b"(?:" + b"|".join([_SPACE, *map(_character, others)]) + b")+" if others else _SPACE


@lru_cache(maxsize=4096)
def _character(char: str) -> bytes:
    return _escaped(char, rb"[\\`]*")


@lru_cache(maxsize=4096)
def _escaped(char: str, quoting: bytes = b"") -> bytes:
    """Return an expression for a character: unchanged, escaped, or by its number."""
    data = char.encode(errors="surrogatepass")
    number = ord(char)
    octets = _SOFT_BREAK.join(rb"(?:%%(?:25)*|=|\\+x)%b" % _digits(byte) for byte in data)
    octal = b"".join(rb"\\+%03o" % byte for byte in data)
    utf16 = char.encode("utf-16-be", errors="surrogatepass")
    halves = [utf16[at : at + 2] for at in range(0, len(utf16), 2)]
    escapes = [octets, octal, b"".join(rb"\\+u%b%b" % (_digits(a), _digits(b)) for a, b in halves)]
    escapes += [rb"\\+[uU]\{?0*%b\}?" % _anycase(b"%x" % number)]
    if 0x80 <= number < 0x100:
        escapes += [rb"\\+x%b" % _digits(number), rb"(?:%%(?:25)*|=)%b" % _digits(number)]
    if char in _CONTROL:
        escapes += [rb"\\+%b" % _CONTROL[char]]
    names = [re.escape(name) for name in _ENTITIES.get(char, ())]
    numbers = [rb"#0*%d;" % number, rb"#[xX]0*%b;" % _anycase(b"%x" % number)]
    escapes += [rb"&(?:amp;)*(?:%b)" % b"|".join([*numbers, *names])]
    doubled = [_DOUBLED[char]] if char in _DOUBLED else []
    # Longest first: the escape of one character may look like another character.
    return b"(?:" + b"|".join([*doubled, *escapes, quoting + re.escape(data)]) + b")"


def _entities() -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for name, char in html5.items():
        if name.endswith(";"):
            found[char] = (*found.get(char, ()), name.encode())
    return found


_ENTITIES: Final = _entities()


def _digits(byte: int) -> bytes:
    return _anycase(b"%02x" % byte)


def _anycase(digits: bytes) -> bytes:
    parts = (bytes([one]) for one in digits)
    return b"".join(b"[%b%b]" % (one, one.upper()) if one.isalpha() else one for one in parts)


def _base64(data: bytes) -> Iterator[Needle]:
    """Yield what does not depend on neighbouring bytes, for each of the three alignments."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data)
        form = whole[(8 * before + 5) // 6 : (before + len(data)) * 8 // 6]
        units = tuple(_base64_digit(bytes([one])) for one in form)
        begins = {form[0], *{ord("+"): b"-", ord("/"): b"_"}.get(form[0], b"")}
        yield Needle(units, frozenset(begins), end=_BASE64_END)


def _base64_digit(digit: bytes) -> bytes:
    """Match both alphabets, and escapes of the two special characters."""
    if digit == b"+":
        return rb"(?:[+-]|%(?:25)*2[bB]|\\+u002[bB]|&#43;)"
    if digit == b"/":
        return rb"(?:\\*/|_|%(?:25)*2[fF]|\\+u002[fF]|&#(?:47|[xX]2[fF]);)"
    return digit


def _hexadecimal(data: bytes) -> Needle:
    first, *rest = (_digits(byte) for byte in data)
    units = (first, *(rb"(?:[ :,-]{0,2}(?:0[xX])?)" + one for one in rest))
    digits = (b"%x" % (data[0] >> 4)).lower()
    return Needle(units, frozenset(digits + digits.upper()))


def _decimal(data: bytes) -> Needle:
    first, *rest = (b"%d" % byte for byte in data)
    return Needle((first, *(rb"[,\s]+" + one for one in rest)), frozenset(first[:1]))
