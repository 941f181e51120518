"""The base of domain values: frozen, and strict about unknown fields."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, core_schema

from aweigh.core import grammar

PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Value(BaseModel):
    # Errors are reported without the value, which may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def place_of(location: tuple[str | int, ...]) -> str:
    """Return a field's path from the location of a pydantic error.

    pydantic adds the chosen kinds of source, build and credentials, which are removed.
    """
    parts = list(location)
    for chosen in (["source"], ["source", "build"], ["source", "credentials"]):
        if parts[: len(chosen)] == chosen:
            del parts[len(chosen) : len(chosen) + 1]
    return ".".join(map(str, parts))


Text = Annotated[str, AfterValidator(grammar.text)]


@dataclass(frozen=True)
class Written:
    """A text's grammar: a message for people, and a regular expression for the schema."""

    grammar: re.Pattern[str]
    refusal: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^{self.grammar.pattern}$"}

    def _checked(self, text: str) -> str:
        if not grammar.matches(self.grammar, text):
            raise ValueError(self.refusal)
        return text


_MEMORY_UNITS: Final = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_MEMORY: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))? ?(?:([kmgt])i?)?b?", re.IGNORECASE)
_SMALLEST_MEMORY: Final = 6 * 1024**2  # the engine rejects less
_LARGEST_MEMORY: Final = 1024**5


def memory_bytes(memory: str) -> int:
    """Return the bytes of an amount in its normal form, such as `512m`."""
    return int(memory[:-1]) * _MEMORY_UNITS[memory[-1]]


def _written_as_number(memory: object) -> object:
    is_number = isinstance(memory, int) and not isinstance(memory, bool)
    return str(memory) if is_number else memory


def _memory(memory: str) -> str:
    """Return the amount in the largest unit that needs no fraction, as in Docker (units of 1024).

    `512M`, `512Mi`, `512MiB` and `0.5g` become `512m`; a number without a unit is bytes.
    """
    found = _MEMORY.fullmatch(memory.strip())
    if not found:
        raise ValueError("is not an amount of memory, such as 512m, 2g or 1.5Gi")
    whole, fraction, unit = found[1], found[2] or "0", (found[3] or "b").lower()
    size = _MEMORY_UNITS[unit]
    amount = int(whole) * size + int(fraction) * size // 10 ** len(fraction)
    if amount < _SMALLEST_MEMORY:
        raise ValueError("is below the engine's smallest limit, 6m")
    if amount > _LARGEST_MEMORY:
        raise ValueError("is more than any machine has, 1024t")
    if fraction == "0" and found[3]:
        return f"{int(whole)}{unit}"
    best = next(one for one in "tgmkb" if amount % _MEMORY_UNITS[one] == 0)
    return f"{amount // _MEMORY_UNITS[best]}{best}"


Memory = Annotated[str, BeforeValidator(_written_as_number), AfterValidator(_memory)]


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
