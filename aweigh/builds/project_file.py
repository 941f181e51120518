"""The build settings in a repository's `project.toml`.

Format: https://github.com/buildpacks/spec/blob/main/extensions/project-descriptor.md, and the
additions of `pack`: https://buildpacks.io/docs/reference/config/project-descriptor/.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import re2
import rtoml
from pathspec import GitIgnoreSpec
from pydantic import AfterValidator, BaseModel, ValidationError

from aweigh.core import grammar

PROJECT_FILE: Final = "project.toml"
#: Maximum length, in characters.
LONGEST: Final = 64 * 1024
#: Tables with build settings in versions 0.1 and 0.2 of the descriptor, and for `pack`.
_PLACES: Final = (("io", "buildpacks"), ("io", "buildpacks", "build"), ("build",))
_WITHOUT_EFFECT: Final = ("builder", "buildpacks", "group", "pre", "post")


class _Variable(BaseModel):
    name: Annotated[str, AfterValidator(grammar.build_variable_name)]
    value: str


class _Table(BaseModel):
    include: list[str] = []
    exclude: list[str] = []
    env: list[_Variable] = []


@dataclass(frozen=True)
class Project:
    """The settings that a build applies."""

    #: Build variables; those of the application override them.
    env: Mapping[str, str] = field(default_factory=dict)
    #: `.gitignore` patterns of the only files that are built, or of those that are left out.
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    #: Settings in the file that Aweigh ignores.
    without_effect: tuple[str, ...] = ()

    @property
    def selection(self) -> Callable[[str], bool] | None:
        """Return a function that tells whether a path is built; None if all paths are.

        Patterns are matched by RE2, whose time is linear, because the repository is untrusted.

        Raises:
            ValueError: a pattern is invalid, or the patterns are too many or too long.
        """
        try:
            patterns = GitIgnoreSpec.from_lines(self.include or self.exclude, backend="re2")
            patterns.match_file("")  # compiles them
        except re2.error as error:
            raise ValueError("its patterns are too many or too long") from error
        if not patterns.patterns:
            return None
        wanted = bool(self.include)
        return lambda path: patterns.match_file(_as_text(path)) is wanted


def _as_text(path: str) -> str:
    """Return the path as text; bytes that are not text are replaced."""
    return path.encode(errors="replace").decode()


def read_project(text: str) -> Project:
    """Read a project file.

    Raises:
        ValueError: the file is invalid; the message names the place.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST // 1024} KiB")
    document = rtoml.loads(text)  # linear in time and bounded in depth: the repository is untrusted
    found = [(place, table) for place in _PLACES if (table := _at(document, place))]
    tables = [_read(place, table) for place, table in found]
    include = tuple(pattern for table in tables for pattern in table.include)
    exclude = tuple(pattern for table in tables for pattern in table.exclude)
    if include and exclude:
        raise ValueError("`include` and `exclude` cannot be used together")
    project = Project(
        env={one.name: one.value for table in tables for one in table.env},
        include=include,
        exclude=exclude,
        without_effect=tuple(
            ".".join((*place, name))
            for place, table in found for name in _WITHOUT_EFFECT if name in table
        ),
    )  # fmt: skip
    project.selection  # noqa: B018 (reports an invalid pattern)
    return project


def _at(document: Mapping[str, Any], place: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the table at a place.

    Raises:
        ValueError: the value there is not a table.
    """
    table: Any = document
    for name in place:
        table = table.get(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"`{'.'.join(place)}` is not a table")  # noqa: TRY004 (of a file)
    return dict(table)


def _read(place: tuple[str, ...], table: Mapping[str, Any]) -> _Table:
    given = dict(table)
    if isinstance(given.get("env"), dict):  # `[[io.buildpacks.env.build]]`, the older form
        given["env"] = given["env"].get("build", ())
    try:
        return _Table.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((*place, *map(str, first["loc"])))
        raise ValueError(f"`{where}`: {first['msg']}") from error
