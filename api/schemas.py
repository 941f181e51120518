"""The shapes of the HTTP contract. Others program against them: fields are only ever added."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from aweigh.core import grammar
from aweigh.core.model import Text, Written
from aweigh.deployment_answer import Answer
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.release import Image
from aweigh.store.applications import Application
from aweigh.store.tables import ApplicationRow


def _printable(name: str) -> str:
    """Accept printable names only: terminals and Temporal's UI show them."""
    if not name.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return name


_Slug = Written(
    grammar.SLUG,
    "is not a slug: a-z, 0-9 and '-', first a letter, last a letter or digit, at most 40 of them",
)


class NewApplication(ApplicationSettings):
    """The settings of an application, its name and its server."""

    name: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
    server: Text = "local"
    #: The default is made from the name.
    slug: Annotated[str, _Slug] | None = None

    def settings(self) -> ApplicationSettings:
        fields = {name: getattr(self, name) for name in ApplicationSettings.model_fields}
        return ApplicationSettings.model_construct(**fields)


class NewDeployment(BaseModel):
    model_config = {"extra": "forbid"}

    tag: str | None = None
    commit: str | None = None
    rebuild: bool = False

    @field_validator("commit")
    @classmethod
    def _commit(cls, commit: str | None, info: ValidationInfo) -> str | None:
        if commit and info.data.get("tag"):
            raise ValueError("cannot be combined with a tag")
        return commit


class LiveAnswer(Answer):
    deployment: str
    image: Image
    since: datetime | None


def row_answer(row: ApplicationRow) -> dict[str, Any]:
    """Return what an answer shows of an application without its settings."""
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "server": row.server,
        "removing": row.removal_sequence is not None,
        "removal_message": row.removal_message,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def application_answer(application: Application, live: LiveAnswer | None) -> dict[str, Any]:
    """Return an application with the presence of its secrets instead of their values."""
    settings = application.settings.model_dump(mode="json")
    _hide(settings["source"])
    return {
        **row_answer(application.row),
        **settings,
        "live": live.model_dump(mode="json") if live else None,
    }


def _hide(source: dict[str, Any]) -> None:
    """Remove secret values, so that only their presence shows."""
    if source.get("registry"):
        source["registry"].pop("password")
    if credentials := source.get("credentials"):
        for name in ("token", "private_key"):
            credentials.pop(name, None)
    build = source.get("build") or {}
    if "secrets" in build:
        build["secrets"] = sorted(build["secrets"])
