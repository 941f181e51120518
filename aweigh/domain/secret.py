"""Secret values: hidden wherever they are printed, revealed only where asked for by name."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from aweigh.domain import grammar

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
    """Replace every occurrence of a secret, or of a line of one, of six characters or more."""
    parts = {part for secret in secrets for part in (secret, *secret.splitlines())}
    for part in sorted(parts, key=len, reverse=True):  # the longest first: no tail is left
        if len(part) >= MASKED_FROM:
            text = text.replace(part, HIDDEN)
    return text
