"""The settings of a build: its method, variables, secrets and limits."""

import re
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator

from aweigh.core import grammar
from aweigh.core.model import Memory, Value, Written, memory_bytes
from aweigh.deployments import repository_path
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.variable import GivenVariable, hidden_of
from aweigh.secrets.value import Secret

DEFAULT_BUILDER: Final = "heroku/builder:24"
Given = TypeVar("Given")


class BuildLimits(Value):
    """Resource limits of a build; `cpus` and `memory` default to a share of the server's."""

    cpus: Annotated[float, Field(ge=0.1, le=1024)] | None = None
    memory: Memory | None = None
    pids: Annotated[int, Field(ge=50, le=100_000)] = 4096
    minutes: Annotated[int, Field(ge=1, le=240)] = 60

    @property
    def memory_bytes(self) -> int | None:
        return memory_bytes(self.memory) if self.memory else None


_Process = Written(
    re.compile(r"[a-z0-9][a-z0-9._-]{0,62}"),
    "is not a process type (a-z, 0-9 and ._-, first a letter or digit, at most 63 characters)",
)
_Stage = Written(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"),
    "is not a Dockerfile stage name (letters, digits and _.-, at most 63 characters)",
)


class Buildpacks(Value):
    """A build by Cloud Native Buildpacks: the builder image detects the language and builds it."""

    method: Literal["buildpacks"] = "buildpacks"
    builder: str = DEFAULT_BUILDER
    env: dict[str, GivenVariable] = Field(default_factory=dict)
    process: Annotated[str, _Process] = "web"
    limits: BuildLimits = BuildLimits()

    @field_validator("builder")
    @classmethod
    def _builder(cls, builder: str) -> str:
        ImageReference.parse(builder)
        return builder

    @field_validator("env")
    @classmethod
    def _env(cls, env: dict[str, GivenVariable]) -> dict[str, GivenVariable]:
        for name in env:
            grammar.build_variable_name(name)
        return env

    @property
    def hidden_variables(self) -> list[str]:
        return hidden_of(self.env)

    @property
    def hidden(self) -> list[str]:
        """Secrets besides the variables that must not appear in a log."""
        return []


class Dockerfile(Value):
    """A build of the repository's own Dockerfile, by BuildKit."""

    method: Literal["dockerfile"] = "dockerfile"
    #: Relative to `subdirectory`, which is the build context.
    dockerfile: Annotated[str, AfterValidator(repository_path.file)] = "Dockerfile"
    target: Annotated[str, _Stage] | None = None
    args: dict[str, GivenVariable] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)
    limits: BuildLimits = BuildLimits()

    @field_validator("args")
    @classmethod
    def _args(cls, args: dict[str, GivenVariable]) -> dict[str, GivenVariable]:
        for name, value in args.items():
            if any(end in value.text for end in "\r\n"):
                raise ValueError(f"{name!r} contains a line break, which an ARG cannot contain")
        return _named_like(grammar.ARG_NAME, args, "the name of an ARG")

    @field_validator("secrets")
    @classmethod
    def _secrets(cls, secrets: dict[str, Secret]) -> dict[str, Secret]:
        return _named_like(grammar.SECRET_ID, secrets, "the id of a secret")

    @property
    def hidden_variables(self) -> list[str]:
        return _with_parts(hidden_of(self.args))

    @property
    def hidden(self) -> list[str]:
        """Secrets besides the arguments that must not appear in a log."""
        return _with_parts([one.get_secret_value() for one in self.secrets.values()])


def _with_parts(values: list[str]) -> list[str]:
    """Return the values and the parts between their single quotes.

    An argument is written into the Dockerfile with its quotes escaped, so a log can show each part.
    """
    return values + [part for value in values for part in value.split("'") if part != value]


def _named_like(pattern: re.Pattern[str], values: dict[str, Given], what: str) -> dict[str, Given]:
    for name in values:
        if not grammar.matches(pattern, name):
            raise ValueError(f"{name!r} is not {what}")
    return values


def _method(build: Any) -> str:
    return str(
        build.get("method", "buildpacks")
        if isinstance(build, dict)
        else getattr(build, "method", "")
    )


#: The default method is Buildpacks.
Build = Annotated[
    Annotated[Buildpacks, Tag("buildpacks")] | Annotated[Dockerfile, Tag("dockerfile")],
    Discriminator(
        _method,
        custom_error_type="build_method",
        custom_error_message="method must be buildpacks or dockerfile",
    ),
]
