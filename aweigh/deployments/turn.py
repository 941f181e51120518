"""A turn of a deployment in its application's lane."""

from dataclasses import dataclass

from aweigh.deployments.application import Policy
from aweigh.deployments.deployment import REMOVAL
from aweigh.deployments.workflow_ids import deployment_workflow_id, removal_workflow_id


@dataclass(frozen=True)
class Turn:
    """A deployment or, with `removal`, the removal of the application, as recorded."""

    application_id: str
    slug: str
    server: str
    sequence: int
    deployment_id: str = ""
    reference: str = ""
    policy: Policy = Policy.SUPERSEDE
    removal: bool = False
    volumes: bool = False
    #: A short description of what is deployed: a tag, or a branch and its commit.
    label: str = ""
    #: The deployment needs no turn any more.
    ended: bool = False

    @property
    def name(self) -> str:
        return REMOVAL if self.removal else self.deployment_id

    @property
    def workflow_id(self) -> str:
        if self.removal:
            return removal_workflow_id(self.slug, self.sequence)
        return deployment_workflow_id(self.slug, self.sequence, self.deployment_id)
