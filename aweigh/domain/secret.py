"""Secret values: hidden wherever they are printed, revealed only where asked for by name."""

from typing import Annotated, Any, Final

from pydantic import PlainSerializer, SecretStr, SerializationInfo

HIDDEN: Final = "**********"
#: The serialisation context under which secrets are written out.
REVEAL: Final[dict[str, Any]] = {"reveal": True}


def _serialize(secret: SecretStr, info: SerializationInfo) -> str:
    revealed = bool(info.context and info.context.get("reveal"))
    return secret.get_secret_value() if revealed else HIDDEN


Secret = Annotated[SecretStr, PlainSerializer(_serialize, return_type=str)]

#: A value shorter than this is not masked: it would blank out ordinary text.
MASKED_FROM: Final = 6


def mask(text: str, secrets: list[str]) -> str:
    """Replace every occurrence of a secret of six characters or more, longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        for part in (secret, *secret.splitlines()):
            if len(part) >= MASKED_FROM:
                text = text.replace(part, HIDDEN)
    return text
