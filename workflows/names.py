"""Ids of workflows and names of task queues and search attributes, each decided once."""

from typing import Final

from temporalio.common import SearchAttributeKey

CONTROL_QUEUE: Final = "control"

APPLICATION_ID: Final = SearchAttributeKey.for_keyword("ApplicationId")
APPLICATION_NAME: Final = SearchAttributeKey.for_keyword("ApplicationName")
SERVER_NAME: Final = SearchAttributeKey.for_keyword("ServerName")
DEPLOYMENT_STATE: Final = SearchAttributeKey.for_keyword("DeploymentState")
REFERENCE: Final = SearchAttributeKey.for_keyword("Reference")
SEARCH_ATTRIBUTES: Final = (
    APPLICATION_ID,
    APPLICATION_NAME,
    SERVER_NAME,
    DEPLOYMENT_STATE,
    REFERENCE,
)


def lane_id(application_id: str) -> str:
    return f"application/{application_id}"


def deployment_workflow_id(deployment_id: str) -> str:
    return f"deployment/{deployment_id}"


def removal_workflow_id(application_id: str, sequence: int) -> str:
    return f"removal/{application_id}/{sequence}"


def steps_queue(server: str) -> str:
    """Short steps, many slots: an unanswered queue means that the server is offline."""
    return f"server/{server}/steps"


def pull_queue(server: str) -> str:
    """Pulls, few slots: waiting here is not being offline."""
    return f"server/{server}/pull"
