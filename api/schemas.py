"""The shapes of the HTTP contract. Others program against them: fields are only ever added."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from aweigh.core import grammar
from aweigh.core.model import Text, Written
from aweigh.core.settings import Settings
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.release import Image
from aweigh.deployments.workflow_ids import deployment_workflow_id
from aweigh.store.applications import Application
from aweigh.store.deployments import Deployment
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


class DeploymentRequest(BaseModel):
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


class Answer(BaseModel):
    """Answers are built from rows whose values were validated before they were written."""


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


class StepAnswer(Answer):
    name: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    attempts: int
    detail: str


class WorkflowAnswer(Answer):
    id: str
    run_id: str | None
    url: str


class ApplicationLink(Answer):
    id: str
    name: str


class Links(Answer):
    self: str
    log: str


class DeploymentAnswer(Answer):
    id: str
    application: ApplicationLink
    server: str
    sequence: int
    state: DeploymentState
    reason: str | None
    message: str | None
    trigger: str
    actor: str
    reference: str | None
    commit: str | None = None
    image: Image
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retry_of: str | None
    superseded_by: str | None
    steps: list[StepAnswer]
    workflow: WorkflowAnswer
    links: Links


def deployment_answer(deployment: Deployment, settings: Settings) -> DeploymentAnswer:
    row, application = deployment.row, deployment.application
    workflow_id = deployment_workflow_id(application.slug, row.sequence, row.id)
    run = f"/{row.run_id}/history" if row.run_id else ""
    return DeploymentAnswer(
        id=row.id,
        application=ApplicationLink(id=application.id, name=application.name),
        server=row.server,
        sequence=row.sequence,
        state=DeploymentState(row.state),
        reason=row.reason,
        message=row.message,
        trigger=row.trigger,
        actor=row.actor,
        reference=row.tag,
        commit=deployment.commit,
        image=deployment.image,
        attempts=row.attempts,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        retry_of=row.retry_of,
        superseded_by=row.superseded_by,
        steps=[
            StepAnswer(
                name=step.name, state=step.state, started_at=step.started_at,
                finished_at=step.finished_at, attempts=step.attempts, detail=step.detail,
            )
            for step in deployment.steps
        ],
        workflow=WorkflowAnswer(
            id=workflow_id, run_id=row.run_id, url=f"{settings.workflow_page(workflow_id)}{run}"
        ),
        links=Links(self=f"/v1/deployments/{row.id}", log=f"/v1/deployments/{row.id}/log"),
    )  # fmt: skip
