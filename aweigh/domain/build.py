"""How an image is made from source."""

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from aweigh.domain import grammar
from aweigh.domain.image import ImageReference
from aweigh.domain.secret import Secret
from aweigh.domain.value import Memory, Value, memory_bytes

DEFAULT_BUILDER: Final = "heroku/builder:24"


class BuildLimits(Value):
    """What a build may take; without `cpus` or `memory`, what the server worker's settings say."""

    cpus: Annotated[float, Field(ge=0.1, le=1024)] | None = None
    memory: Memory | None = None
    pids: Annotated[int, Field(ge=50, le=100_000)] = 4096
    minutes: Annotated[int, Field(ge=1, le=240)] = 60

    @property
    def memory_bytes(self) -> int | None:
        return memory_bytes(self.memory) if self.memory else None


class Buildpacks(Value):
    """Cloud Native Buildpacks: the builder image finds out what the source is, and builds it."""

    method: Literal["buildpacks"] = "buildpacks"
    builder: str = DEFAULT_BUILDER
    env: dict[str, Secret] = Field(default_factory=dict)
    process: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")] = "web"
    limits: BuildLimits = BuildLimits()

    @field_validator("builder")
    @classmethod
    def _builder(cls, builder: str) -> str:
        ImageReference.parse(builder)
        return builder

    @field_validator("env")
    @classmethod
    def _env(cls, env: dict[str, Secret]) -> dict[str, Secret]:
        for name in env:
            if not grammar.matches(grammar.ENV_NAME, name):
                raise ValueError(f"{name!r} is not an environment variable name")
        return env

    @property
    def secrets(self) -> list[str]:
        return [value.get_secret_value() for value in self.env.values()]


Build = Buildpacks
