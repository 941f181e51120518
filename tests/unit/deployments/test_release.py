"""What people read of a release in Temporal's UI."""

from typing import Any

import pytest

from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.release import Image, Release
from aweigh.deployments.workflow_ids import deployment_workflow_id

COMMIT = "3f2a91c" + "0" * 33
DIGEST = "sha256:" + "9f86d081" * 8
SITE = "https://github.com/acme/site"
GIT = {"type": "git", "repository": SITE, "branch": "main"}
IMAGE = {"type": "image", "image": "registry.example.com:5000/acme/shop", "tag": "v1"}


def release(source: dict[str, Any], reference: str, **more: Any) -> Release:
    return Release(
        deployment="dep_1", application="app_1", slug="site", server="local", sequence=1,
        image=Image(reference=reference),
        settings=ApplicationSettings.model_validate({"source": source}), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "label"),
    [
        ("registry.example.com:5000/acme/shop:v2.0.1", "v2.0.1"),
        (f"registry.example.com:5000/acme/shop@{DIGEST}", "sha256:9f86d08"),
        (f"acme/shop:v2@{DIGEST}", "v2"),
    ],
)
def test_an_image_is_shown_by_its_tag_else_its_digest(reference: str, label: str) -> None:
    assert release(IMAGE, reference).label == label


@pytest.mark.parametrize(
    ("asked", "more", "label"),
    [
        ("main", {}, "main"),
        ("main", {"commit": COMMIT}, "main (3f2a91c)"),
        (COMMIT, {"commit": COMMIT}, "main (3f2a91c)"),  # a push
        (COMMIT, {"commit": COMMIT, "ref": COMMIT}, "3f2a91c"),
        ("v1.0", {"ref": "v1.0"}, "v1.0"),
        ("v1.0", {"commit": COMMIT}, "v1.0 (3f2a91c)"),
        ("#12-fix", {"ref": "#12-fix"}, "#12-fix"),
    ],
)
def test_a_repository_is_shown_by_branch_or_tag_and_commit(
    asked: str, more: dict[str, Any], label: str
) -> None:
    assert release(GIT, f"{SITE}#{asked}", **more).label == label


def test_deployments_of_one_sequence_have_workflows_of_their_own() -> None:
    """A database restored from a backup counts on from an older sequence."""
    ids = [f"dep_06h21{'0' * 15}{short}" for short in ("3k9q2a", "3k9q2b")]

    assert [deployment_workflow_id("shop", 7, one) for one in ids] == [
        "deployment/shop/7-3k9q2a",
        "deployment/shop/7-3k9q2b",
    ]
