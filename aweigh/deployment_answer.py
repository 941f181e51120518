"""A deployment as the API answers and events show it: fields are only ever added."""

from datetime import datetime

from pydantic import BaseModel

from aweigh.core.settings import Settings
from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.release import Image
from aweigh.deployments.workflow_ids import deployment_workflow_id
from aweigh.store.deployments import Deployment


class Answer(BaseModel):
    """Answers are built from rows whose values were validated before they were written."""


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
    commit_subject: str | None = None
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
        commit=deployment.commit.id if deployment.commit else None,
        commit_subject=deployment.commit.subject if deployment.commit else None,
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
