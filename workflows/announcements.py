"""The state of a deployment for people: in Temporal's UI, and beside its commit on GitHub."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.workflow import ParentClosePolicy

from aweigh.deployments.deployment import DeploymentState
from aweigh.deployments.workflow_ids import commit_status_id
from workflows.commit_status import CommitStatusRequest, CommitStatusWorkflow
from workflows.markdown import escaped
from workflows.names import CONTROL_QUEUE, DEPLOYMENT_STATE


class Announcements:
    """Shows the steps, the states and the commit status of one deployment."""

    def __init__(self, deployment_id: str, slug: str, sequence: int) -> None:
        self._deployment_id = deployment_id
        self._slug = slug
        self._sequence = sequence
        self._story: list[str] = []
        self._reported: set[DeploymentState] = set()
        #: Known after the preflight.
        self.reports_commit_status = False

    def add_to_story(self, heading: str, detail: str) -> None:
        """Add a line to the story, which Temporal's UI shows as *Current Details*."""
        self._story.append(f"- **{heading}** {escaped(detail)}")
        workflow.set_current_details("\n".join(self._story))

    def show_state(self, state: DeploymentState, detail: str = "") -> None:
        """Make the deployment be found by its state, and add the state to the story."""
        workflow.upsert_search_attributes([DEPLOYMENT_STATE.value_set(state)])
        self.add_to_story(state, detail)

    async def report_commit_status(self, state: DeploymentState) -> None:
        """Start the report to GitHub, if the repository takes one; nothing waits for its end."""
        if not self.reports_commit_status or state in self._reported:
            return
        self._reported.add(state)
        with suppress(FailureError):  # an earlier run has started it
            await workflow.start_child_workflow(
                CommitStatusWorkflow.run,
                CommitStatusRequest(self._deployment_id),
                id=commit_status_id(self._slug, self._sequence, self._deployment_id, state),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_queue=CONTROL_QUEUE,
                static_summary=f"status of {self._slug} #{self._sequence}",
            )
