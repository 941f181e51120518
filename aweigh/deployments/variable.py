"""Variables of an application and of its builds: secret unless marked as plain."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    StrictBool,
    model_serializer,
)

from aweigh.core import grammar
from aweigh.core.model import Value
from aweigh.secrets.value import REVEAL, Secret

#: The serialisation context for plain values, without their marks.
VALUES: Final[dict[str, Any]] = REVEAL | {"marks": False}


class Variable(Value):
    """A variable; `"secret": false` shows its value in answers and logs."""

    value: Secret
    secret: StrictBool = True

    @property
    def text(self) -> str:
        return self.value.get_secret_value()

    @model_serializer(mode="wrap")
    def _serialize(self, _: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """Serialise in the given form; a secret that is not revealed, as its mark alone."""
        context = info.context or {}
        if not self.secret:
            marked = {"value": self.text, "secret": False}
            return marked if context.get("marks", True) else self.text
        return self.text if context.get("reveal") else {"secret": True}


def _as_marked(given: Any) -> Any:
    if isinstance(given, str):
        return {"value": grammar.text(given)}
    if isinstance(given, Variable):
        return given
    if not isinstance(given, dict):
        raise ValueError('is neither a string nor an object {"value": "…", "secret": false}')  # noqa: TRY004 (pydantic's)
    if "value" in given:
        return given
    if given.get("secret", True) is not True:
        raise ValueError(
            "needs its `value`: plain variables are shown to everybody who may read the "
            "application, so a secret becomes plain only if its value is given anew beside "
            '"secret": false'
        )
    raise ValueError('needs a `value`; "secret": false beside it makes it plain')


#: A string, which is secret, or an object.
GivenVariable = Annotated[
    Variable, BeforeValidator(_as_marked, json_schema_input_type=Secret | Variable)
]


def values_of(variables: Mapping[str, Variable]) -> dict[str, str]:
    return {name: variable.text for name, variable in variables.items()}


def hidden_of(variables: Mapping[str, Variable]) -> list[str]:
    """Return the values that must not appear in a log."""
    return [variable.text for variable in variables.values() if variable.secret]
