"""Secret values: hidden wherever they are printed, revealed only where asked for by name."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from aweigh.core import grammar
from aweigh.core.text import printable
from aweigh.secrets.encodings import SHORTEST
from aweigh.secrets.masking import HIDDEN, Span, spans

#: The serialisation context under which secrets are written out.
REVEAL: Final[dict[str, Any]] = {"reveal": True}

#: Of what was printed before, for a secret that was begun there: for each of its bytes as many as
#: the longest spelling has, with what stands before each of its lines.
_BYTES_BEFORE: Final = 4096
_BYTES_FOR_EACH: Final = 10
#: A header that a registry throws back, and an address that it signed.
_TOKEN: Final = re.compile(r"(?i)\b(basic|bearer)[ :=\\\"']+[a-z0-9+/=._~-]{16,}")
_SIGNED: Final = re.compile(r"(https?://[^\s\"'?\\]+)\?[^\s\"'\\]+")


def _serialize(secret: SecretStr, info: SerializationInfo) -> str:
    revealed = bool(info.context and info.context.get("reveal"))
    return secret.get_secret_value() if revealed else HIDDEN


def _text(secret: SecretStr) -> SecretStr:
    grammar.text(secret.get_secret_value())
    return secret


Secret = Annotated[SecretStr, AfterValidator(_text), PlainSerializer(_serialize, return_type=str)]


def mask(text: str, secrets: list[str]) -> str:
    """Hide every secret of six characters or more, however it is written in the text.

    A secret is found whole, line by line, escaped or encoded (see `spelling`), wrapped, and also
    where the text was cut in its middle.
    """
    return _masked(text, secrets, keep_lines=False)


def mask_words(text: str, secrets: list[str]) -> str:
    """What Aweigh says itself and repeats of others' errors, without tokens and signatures either:
    those that a registry gave to an engine are nobody's stored secrets.

    In this order: what would be left of a wrapped secret could not be found any more.
    """
    words = _TOKEN.sub(rf"\1 {HIDDEN}", mask(text, secrets))
    return _SIGNED.sub(rf"\1?{HIDDEN}", words)


def mask_lines(lines: list[str], secrets: list[str]) -> list[str]:
    """The lines, as many as there were; a secret over several of them is hidden in each."""
    return _masked("\n".join(lines), secrets, keep_lines=True).split("\n")


def last_lines(lines: list[str], secrets: list[str], count: int) -> list[str]:
    """The last lines, and before them as many as the longest secret may take."""
    room = _BYTES_BEFORE + _BYTES_FOR_EACH * max((len(one.encode()) for one in secrets), default=0)
    first = max(len(lines) - count, 0)
    while first and room > 0:
        first -= 1
        room -= len(lines[first].encode(errors="replace")) + 1
    return lines[first:]


class Printed:
    """Hides secrets in what is printed little by little: one may begin in earlier lines."""

    def __init__(self) -> None:
        self._before: list[str] = []

    def masked(self, lines: list[str], secrets: list[str]) -> list[str]:
        """The lines, as many as there are."""
        before = self._before
        together = [*before, *lines]
        data = "\n".join(together).encode(errors="surrogatepass")
        found = spans(data, secrets)
        # Whatever may go on, and what is too short to be found as yet.
        begun = data.count(b"\n", 0, found[-1][0]) if found and found[-1][1] == len(data) else None
        few = max(len(together) - SHORTEST, 0)
        kept = together[few if begun is None else min(begun, few) :]
        self._before = last_lines(kept, secrets, 0)
        return _hidden(data, found, keep_lines=True).split("\n")[len(before) :]


def as_logged(lines: list[str], secrets: list[str]) -> list[str]:
    """Lines as they stand in a deployment's log, behind their times."""
    masked = mask_lines(lines, secrets)
    return [printable(line).encode(errors="replace").decode() for line in masked]


def _masked(text: str, secrets: list[str], *, keep_lines: bool) -> str:
    data = text.encode(errors="surrogatepass")
    return _hidden(data, spans(data, secrets), keep_lines=keep_lines)


def _hidden(data: bytes, found: list[Span], *, keep_lines: bool) -> str:
    pieces, position = [], 0
    for start, end in found:
        lines = data.count(b"\n", start, end) if keep_lines else 0
        pieces += [data[position:start], b"\n".join([HIDDEN.encode()] * (lines + 1))]
        position = end
    return b"".join([*pieces, data[position:]]).decode(errors="surrogatepass")
