"""The ids of workflows, made to be read in Temporal's UI.

A slug is never used again, so what it names stays one application's.
"""

from typing import Final

#: Letters at the end of a deployment's id: random ones, where its beginning is the time.
_SHORT: Final = 6


def lane_id(slug: str) -> str:
    return f"application/{slug}"


def deployment_workflow_id(slug: str, sequence: int, deployment_id: str) -> str:
    """The short id tells deployments apart that a restored database gave one sequence."""
    return f"deployment/{slug}/{sequence}-{deployment_id[-_SHORT:]}"


def removal_workflow_id(slug: str, sequence: int) -> str:
    return f"removal/{slug}/{sequence}"


def commit_status_id(slug: str, sequence: int, deployment_id: str, state: str) -> str:
    return f"status/{slug}/{sequence}-{deployment_id[-_SHORT:]}/{state}"
