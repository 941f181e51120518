"""Labels of engine objects: which installation, application and deployment they belong to."""

from collections.abc import Mapping
from typing import Final

from aweigh.deployments.release import Release

INSTANCE: Final = "aweigh.instance"
APPLICATION: Final = "aweigh.application"
DEPLOYMENT: Final = "aweigh.deployment"
SEQUENCE: Final = "aweigh.sequence"
REPLICA: Final = "aweigh.replica"
ROLE: Final = "aweigh.role"
#: The plan the proxy was created from, to detect changed settings.
PLAN: Final = "aweigh.plan"
#: The restart policy to restore on a container that was stopped for a failed deployment.
RESTART: Final = "aweigh.restart"
#: The random identity shared by a server's data and its network on the engine.
IDENTITY: Final = "aweigh.identity"
#: An installation's addresses on an engine; a label of the network that reserves them.
SUBNET: Final = "aweigh.subnet"


def sequence_of(labels: Mapping[str, str]) -> int:
    """Return the sequence of a container's deployment; 0 if the label is invalid."""
    text = labels.get(SEQUENCE, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def labels_of(instance: str, release: Release) -> dict[str, str]:
    return {
        INSTANCE: instance,
        APPLICATION: release.application,
        DEPLOYMENT: release.deployment,
        SEQUENCE: str(release.sequence),
    }
