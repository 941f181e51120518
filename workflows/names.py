"""Names of task queues, schedules and search attributes, each decided once."""

from typing import Final

from temporalio.common import SearchAttributeKey

from aweigh.deployments.workflow_ids import CONTROL_QUEUE as CONTROL_QUEUE

APPLICATION_ID: Final = SearchAttributeKey.for_keyword("ApplicationId")
APPLICATION_NAME: Final = SearchAttributeKey.for_keyword("ApplicationName")
SERVER_NAME: Final = SearchAttributeKey.for_keyword("ServerName")
DEPLOYMENT_STATE: Final = SearchAttributeKey.for_keyword("DeploymentState")
REFERENCE: Final = SearchAttributeKey.for_keyword("Reference")
CHANNEL_NAME: Final = SearchAttributeKey.for_keyword("ChannelName")
EVENT_KIND: Final = SearchAttributeKey.for_keyword("EventKind")
SEARCH_ATTRIBUTES: Final = (
    APPLICATION_ID,
    APPLICATION_NAME,
    SERVER_NAME,
    DEPLOYMENT_STATE,
    REFERENCE,
    CHANNEL_NAME,
    EVENT_KIND,
)
#: Attempts to deliver notifications: receivers that hang hold no slot that a record needs.
NOTIFICATIONS_QUEUE: Final = "notifications"


def steps_queue(server: str) -> str:
    """Short steps, many slots: an unanswered queue means that the server is offline."""
    return f"server/{server}/steps"


def waits_queue(server: str) -> str:
    """Steps that hardly do more than wait: they hold no slot that a short step needs."""
    return f"server/{server}/waits"


def pull_queue(server: str) -> str:
    """Pulls, few slots: waiting here is not being offline."""
    return f"server/{server}/pull"


def build_queue(server: str) -> str:
    """Builds, one at a time unless set otherwise."""
    return f"server/{server}/build"


def reconcile_schedule(server: str) -> str:
    return f"reconcile/{server}"


def prune_schedule(server: str) -> str:
    return f"prune/{server}"
