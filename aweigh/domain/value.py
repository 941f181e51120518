"""What the values of the domain have in common: frozen, strict about unknown fields."""

import re
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aweigh.domain import grammar

PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Value(BaseModel):
    # What is wrong is said without the value, which may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def place_of(location: tuple[str | int, ...]) -> str:
    """Where a value stands, from where pydantic says an error is.

    Without the kinds of source, build and credentials that pydantic took it for.
    """
    parts = list(location)
    for chosen in (["source"], ["source", "build"], ["source", "credentials"]):
        if parts[: len(chosen)] == chosen:
            del parts[len(chosen) : len(chosen) + 1]
    return ".".join(map(str, parts))


Text = Annotated[str, AfterValidator(grammar.text)]

_MEMORY_UNITS: Final = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_MEMORY: Final = re.compile(r"[0-9]{1,15}[bkmg]")
_SMALLEST_MEMORY: Final = 6 * 1024**2  # the engine refuses less


def memory_bytes(memory: str) -> int:
    return int(memory[:-1]) * _MEMORY_UNITS[memory[-1]]


def _memory(memory: str) -> str:
    if not _MEMORY.fullmatch(memory):
        raise ValueError("is not an amount of memory, such as 512m or 2g")
    if memory_bytes(memory) < _SMALLEST_MEMORY:
        raise ValueError("is below the engine's smallest limit, 6m")
    return memory


Memory = Annotated[str, AfterValidator(_memory)]


class _Keyed(Protocol):
    @property
    def key(self) -> object: ...


def _unique(entries: tuple[_Keyed | str, ...]) -> tuple[_Keyed | str, ...]:
    keys = [entry if isinstance(entry, str) else entry.key for entry in entries]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise ValueError(f"the same entry is given twice ({keys.index(key)} and {index})")
    return entries


Unique = AfterValidator(_unique)
