"""Secret values: hidden wherever they are printed, revealed only where asked for by name."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, SecretStr, SerializationInfo

from aweigh.domain import grammar
from aweigh.domain.masking import HIDDEN, spans
from aweigh.domain.text import printable

#: The serialisation context under which secrets are written out.
REVEAL: Final[dict[str, Any]] = {"reveal": True}


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


def mask_lines(lines: list[str], secrets: list[str]) -> list[str]:
    """The lines, as many as there were; a secret over several of them is hidden in each."""
    return _masked("\n".join(lines), secrets, keep_lines=True).split("\n")


def as_logged(lines: list[str], secrets: list[str]) -> list[str]:
    """Lines as they stand in a deployment's log, behind their times."""
    masked = mask_lines(lines, secrets)
    return [printable(line).encode(errors="replace").decode() for line in masked]


def _masked(text: str, secrets: list[str], *, keep_lines: bool) -> str:
    data = text.encode(errors="surrogatepass")
    pieces, position = [], 0
    for start, end in spans(data, secrets):
        lines = data.count(b"\n", start, end) if keep_lines else 0
        pieces += [data[position:start], b"\n".join([HIDDEN.encode()] * (lines + 1))]
        position = end
    return b"".join([*pieces, data[position:]]).decode(errors="surrogatepass")
