"""Secret values: hidden wherever they are printed, revealed only where asked for by name."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from aweigh.domain import grammar
from aweigh.domain.text import CUT, printable

HIDDEN: Final = "**********"
#: The serialisation context under which secrets are written out.
REVEAL: Final[dict[str, Any]] = {"reveal": True}


def _serialize(secret: SecretStr, info: SerializationInfo) -> str:
    revealed = bool(info.context and info.context.get("reveal"))
    return secret.get_secret_value() if revealed else HIDDEN


def _text(secret: SecretStr) -> SecretStr:
    grammar.text(secret.get_secret_value())
    return secret


Secret = Annotated[SecretStr, AfterValidator(_text), PlainSerializer(_serialize, return_type=str)]

#: A value shorter than this is not masked: it would blank out ordinary text.
MASKED_FROM: Final = 6


def mask(text: str, secrets: list[str]) -> str:
    """Replace every occurrence of a secret of six characters or more, longest first.

    A secret is found whole, line by line, with its white space run together, and also where the
    text was cut in its middle.
    """
    for part in sorted(_parts(secrets), key=len, reverse=True):
        text = _mask_cut(text.replace(part, HIDDEN), part)
    return text


def as_logged(line: str, secrets: list[str]) -> str:
    """One line as it stands in a deployment's log, behind its time."""
    return printable(mask(line, secrets)).encode(errors="replace").decode()


def _parts(secrets: list[str]) -> set[str]:
    whole = {piece for secret in secrets for piece in (secret, *secret.splitlines())}
    parts = whole | {" ".join(piece.split()) for piece in whole}
    return {part for part in parts if len(part) >= MASKED_FROM}


def _mask_cut(text: str, part: str) -> str:
    pieces = text.split(CUT)
    return CUT.join(_mask_end(piece, part) for piece in pieces)


def _mask_end(text: str, part: str) -> str:
    """Hide the beginning of a secret with which the text breaks off."""
    for length in range(min(len(part) - 1, len(text)), MASKED_FROM - 1, -1):
        if text.endswith(part[:length]):
            return text[:-length] + HIDDEN
    return text
