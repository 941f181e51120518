"""The delivery of one event to one channel, beside the deployment, which does not wait for it."""

from dataclasses import dataclass
from typing import TypedDict

from temporalio import workflow
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

from activities.deliver import NOT_DELIVERED, DeliveryActivities
from activities.inputs import CancelledDelivery, DeliveryInput, DeliveryResult
from aweigh.deployments.workflow_ids import channel_slug, notification_id
from workflows import names, policies
from workflows.markdown import escaped
from workflows.records import record
from workflows.shield import shield_until_done


@dataclass(frozen=True)
class NotificationRequest:
    """A delivery; all but its id is for people, and the database knows better."""

    delivery_id: str
    kind: str
    #: The channel's name.
    channel: str
    #: Of the deployment's application; empty if the delivery is about no deployment.
    slug: str = ""
    sequence: int = 0

    @property
    def subject(self) -> str:
        """Which event, in few words."""
        word = self.kind.rpartition(".")[2]
        return f"{self.slug} #{self.sequence} {word}" if self.slug else word


@workflow.defn(name="NotificationWorkflow")
class NotificationWorkflow:
    """Delivers a notification, or fails when it is given up."""

    @workflow.run
    async def run(self, request: NotificationRequest) -> DeliveryResult:
        try:
            result = await self._deliver(request)
        except ActivityError as error:
            if is_cancelled_exception(error):
                cancelled = CancelledDelivery(request.delivery_id)
                await shield_until_done(
                    record(DeliveryActivities.cancelled, cancelled, "record cancelled delivery")
                )
                raise
            message = _message(error)
            workflow.set_current_details(escaped(message))
            raise ApplicationError(message, type=NOT_DELIVERED, non_retryable=True) from None
        workflow.set_current_details(escaped(result.detail))
        return result

    async def _deliver(self, request: NotificationRequest) -> DeliveryResult:
        return await workflow.execute_activity_method(
            DeliveryActivities.deliver,
            DeliveryInput(request.delivery_id),
            activity_id="deliver",
            task_queue=names.NOTIFICATIONS_QUEUE,
            summary=f"to {channel_slug(request.channel)}",
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            heartbeat_timeout=policies.DELIVERY_HEARTBEAT,
            **policies.DELIVERY.options(),
        )


def _message(error: ActivityError) -> str:
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)


class StartOptions(TypedDict):
    """The arguments of `start_workflow` that the request decides."""

    id: str
    id_reuse_policy: WorkflowIDReusePolicy
    task_queue: str
    static_summary: str
    static_details: str
    search_attributes: TypedSearchAttributes
    priority: Priority


def start_options(request: NotificationRequest) -> StartOptions:
    """Return how the delivery is started; a second start of the same is rejected."""
    values = {
        names.CHANNEL_NAME: request.channel,
        names.EVENT_KIND: request.kind,
        **({names.APPLICATION_NAME: request.slug} if request.slug else {}),
    }
    return {
        "id": notification_id(request.delivery_id, request.kind, request.slug, request.sequence),
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
        "task_queue": names.CONTROL_QUEUE,
        "static_summary": f"{request.subject} → {channel_slug(request.channel)}",
        "static_details": f"- **{escaped(request.kind)}** to the channel "
        f"**{escaped(request.channel)}**\n- delivery {escaped(request.delivery_id)}",
        "search_attributes": TypedSearchAttributes(
            [SearchAttributePair(key, value) for key, value in values.items()]
        ),
        "priority": policies.share_of_channel(request.channel),
    }
