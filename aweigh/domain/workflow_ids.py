"""The ids of workflows: whoever holds one of our ids can find its workflow."""


def lane_id(application_id: str) -> str:
    return f"application/{application_id}"


def deployment_workflow_id(deployment_id: str) -> str:
    return f"deployment/{deployment_id}"


def removal_workflow_id(application_id: str, sequence: int) -> str:
    return f"removal/{application_id}/{sequence}"


def commit_status_id(deployment_id: str, state: str) -> str:
    return f"status/{deployment_id}/{state}"
