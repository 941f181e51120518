"""Secret values: hidden when printed, and revealed only on request."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from aweigh.core import grammar
from aweigh.core.text import printable
from aweigh.secrets.encodings import SHORTEST
from aweigh.secrets.masking import HIDDEN, Span, spans

#: The serialisation context that reveals secrets.
REVEAL: Final[dict[str, Any]] = {"reveal": True}

#: How much of earlier output is kept to find a secret that started there: a base, and for each byte
#: of the longest secret the length of its longest form, with prefixes of lines.
_BYTES_BEFORE: Final = 4096
_BYTES_FOR_EACH: Final = 10
#: A header that a registry repeats in an error, and a URL with a signature.
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
    """Hide every secret of six characters or more, in any form.

    A secret is found whole, by line, escaped, encoded (see `encodings`), wrapped, and cut off at
    the end of the text.
    """
    return _masked(text, secrets, keep_lines=False)


def mask_words(text: str, secrets: list[str]) -> str:
    """Hide secrets in Aweigh's own messages and errors, and also tokens and signatures in URLs.

    Registries issue tokens to the engine that are not among our secrets. The secrets are hidden
    first: once a token is replaced, the rest of a wrapped secret could not be found.
    """
    words = _TOKEN.sub(rf"\1 {HIDDEN}", mask(text, secrets))
    return _SIGNED.sub(rf"\1?{HIDDEN}", words)


def mask_lines(lines: list[str], secrets: list[str]) -> list[str]:
    """Hide secrets in lines, keeping their number; a secret across lines is hidden in each."""
    return _masked("\n".join(lines), secrets, keep_lines=True).split("\n")


def last_lines(lines: list[str], secrets: list[str], count: int) -> list[str]:
    """Return the last lines, preceded by as many as the longest secret may take."""
    room = _BYTES_BEFORE + _BYTES_FOR_EACH * max((len(one.encode()) for one in secrets), default=0)
    first = max(len(lines) - count, 0)
    while first and room > 0:
        first -= 1
        room -= len(lines[first].encode(errors="replace")) + 1
    return lines[first:]


class OutputMask:
    """Hides secrets in output that arrives in pieces; a secret may start in earlier lines."""

    def __init__(self) -> None:
        self._before: list[str] = []

    def masked(self, lines: list[str], secrets: list[str]) -> list[str]:
        """Return the lines, masked; their number stays the same."""
        before = self._before
        together = [*before, *lines]
        data = "\n".join(together).encode(errors="surrogatepass")
        found = spans(data, secrets)
        # Keep what may continue, and what is still too short to be found.
        begun = data.count(b"\n", 0, found[-1][0]) if found and found[-1][1] == len(data) else None
        few = max(len(together) - SHORTEST, 0)
        kept = together[few if begun is None else min(begun, few) :]
        self._before = last_lines(kept, secrets, 0)
        return _hidden(data, found, keep_lines=True).split("\n")[len(before) :]


def as_logged(lines: list[str], secrets: list[str]) -> list[str]:
    """Return the lines as written to a deployment's log, without their times."""
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
