"""What the values of the domain have in common: frozen, strict about unknown fields."""

from typing import Annotated, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aweigh.domain import grammar

PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Value(BaseModel):
    # What is wrong is said without the value, which may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Text = Annotated[str, AfterValidator(grammar.text)]


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
