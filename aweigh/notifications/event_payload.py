"""What readers and receivers are told of an event, in the form that Standard Webhooks recommend.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from datetime import datetime

from pydantic import Field

from aweigh.core.settings import Settings
from aweigh.deployment_answer import (
    Answer,
    ApplicationLink,
    DeploymentAnswer,
    Links,
    deployment_answer,
)
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.deployment import EventKind
from aweigh.deployments.source import GitSource
from aweigh.github.commit_page import commit_page
from aweigh.store.events import Event


class EventApplication(ApplicationLink):
    slug: str
    labels: dict[str, str] = Field(description="As they are now.")


class EventLinks(Links):
    """Complete addresses: a receiver does not know where the API is."""

    workflow: str = Field(description="The deployment in Temporal's UI.")
    application: str | None = Field(description="The application's first domain, if it has one.")
    commit: str | None = Field(description="The commit at GitHub, if it is there.")


class EventDeployment(DeploymentAnswer):
    """A deployment as `GET /v1/deployments/{id}` showed it right after the change."""

    application: EventApplication
    links: EventLinks


class EventPayload(Answer):
    """A change of a deployment's state."""

    type: EventKind
    timestamp: datetime
    data: EventDeployment


def event_payload(event: Event, settings: Settings) -> EventPayload:
    shown = deployment_answer(event.deployment, settings)
    fields = {name: getattr(shown, name) for name in DeploymentAnswer.model_fields}
    application, now = event.deployment.application, event.settings
    fields["application"] = EventApplication(
        id=application.id, name=application.name, slug=application.slug,
        labels=now.labels if now else {},
    )  # fmt: skip
    fields["links"] = EventLinks(
        self=settings.api_base + shown.links.self,
        log=settings.api_base + shown.links.log,
        workflow=shown.workflow.url,
        application=_address(now) if now else None,
        commit=_commit(now, shown.commit, settings) if now else None,
    )
    return EventPayload(type=event.kind, timestamp=event.at, data=EventDeployment(**fields))


def _address(settings: ApplicationSettings) -> str | None:
    if not settings.domains:
        return None
    domain = settings.domains[0]
    return f"{'https' if domain.tls else 'http'}://{domain.host}{domain.path}"


def _commit(now: ApplicationSettings, commit: str | None, settings: Settings) -> str | None:
    if commit is None or not isinstance(now.source, GitSource):
        return None
    return commit_page(now.source.repository, commit, settings.github_api_url)
