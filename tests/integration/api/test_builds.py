"""How an application is built."""

from typing import Any

import pytest

from tests.support.api_caller import Caller

REPOSITORY = "https://example.com/acme/shop"


def source(**build: Any) -> dict[str, Any]:
    return {"type": "git", "repository": REPOSITORY, "build": build}


async def create(caller: Caller, **build: Any) -> dict[str, Any]:
    given = {"name": "shop", "source": source(**build)}
    answer = await caller.call("POST", "/v1/applications", json=given)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_arguments_and_secrets_are_shown_by_name_only(caller: Caller) -> None:
    made = await create(
        caller, method="dockerfile", args={"B": "x1", "A": "x2"}, secrets={"npm": "x3"}
    )

    assert made["source"]["build"] == {
        "method": "dockerfile", "dockerfile": "Dockerfile", "target": None,
        "args": {"A": {"secret": True}, "B": {"secret": True}}, "secrets": ["npm"],
        "limits": {"cpus": None, "memory": None, "pids": 4096, "minutes": 60},
    }  # fmt: skip


async def test_another_method_takes_the_place_of_what_was_set(caller: Caller) -> None:
    await create(caller, builder="acme/builder", env={"A": "1"})

    answer = await caller.call(
        "PATCH", "/v1/applications/shop", json={"source": {"build": {"method": "dockerfile"}}}
    )
    back = await caller.call(
        "PATCH", "/v1/applications/shop", json={"source": {"build": {"method": "buildpacks"}}}
    )

    assert answer.json()["source"]["build"]["method"] == "dockerfile"
    assert back.json()["source"]["build"]["env"] == {}


async def test_a_tag_and_a_commit_at_once_are_refused(caller: Caller) -> None:
    await create(caller)

    answer = await caller.call(
        "POST", "/v1/applications/shop/deployments", json={"tag": "v1", "commit": "1" * 40}
    )

    assert answer.status_code == 422
    assert "cannot be combined with a tag" in answer.text


async def test_what_is_not_said_of_a_build_stays(caller: Caller) -> None:
    await create(caller, method="dockerfile", args={"A": "1", "B": "2"}, target="web")

    answer = await caller.call(
        "PATCH", "/v1/applications/shop",
        json={"source": {"build": {"args": {"A": None, "C": "3"}, "dockerfile": "web/Dockerfile"}}},
    )  # fmt: skip

    build = answer.json()["source"]["build"]
    assert (sorted(build["args"]), build["target"]) == (["B", "C"], "web")


@pytest.mark.parametrize(
    ("build", "field"),
    [
        ({"dockerfile": "../x"}, "source.build.dockerfile"),
        ({"args": {"A": "a\nb"}}, "source.build.args"),
        ({"limits": {"minutes": 0}}, "source.build.limits.minutes"),
    ],
)
async def test_what_is_wrong_is_named_by_its_field(
    caller: Caller, build: dict[str, Any], field: str
) -> None:
    given = source(**{"method": "dockerfile"} | build)
    answer = await caller.call("POST", "/v1/applications", json={"name": "shop", "source": given})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"paths": ["web", "/"]}, "source.paths"),
        ({"paths": ["../x"]}, "source.paths"),
        ({"credentials": {"type": "token", "token": ""}}, "source.credentials.token"),
        ({"credentials": {"type": "token", "token": "a", "user": "b"}}, "source.credentials.user"),
    ],
)
async def test_what_is_wrong_with_a_repository_is_named_by_its_field(
    caller: Caller, given: dict[str, Any], field: str
) -> None:
    repository = {"type": "git", "repository": "https://github.com/acme/shop"}
    body = {"name": "shop", "source": repository | given}
    answer = await caller.call("POST", "/v1/applications", json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
