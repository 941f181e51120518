"""Dockerfile builds: what an application may ask for, and what BuildKit is told."""

from typing import Any

import pytest
from pydantic import ValidationError

from aweigh.builds.dockerfile.buildkit_container import DockerfileOrder, dockerfile_spec, step_begun
from aweigh.builds.key import content_key
from aweigh.core.model import place_of
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.build_settings import Dockerfile
from aweigh.deployments.hidden_values import hidden_values
from aweigh.deployments.source import GitSource
from aweigh.engine.naming import Names
from aweigh.secrets.value import mask


def settings(**build: Any) -> ApplicationSettings:
    source = {"type": "git", "repository": "https://example.com/a/b", "build": build}
    return ApplicationSettings.model_validate({"source": source})


def source(**build: Any) -> GitSource:
    made = settings(method="dockerfile", **build).source
    assert isinstance(made, GitSource)
    return made


def test_what_is_left_out_has_its_default() -> None:
    assert source().build == Dockerfile()


@pytest.mark.parametrize(
    ("build", "field"),
    [
        ({"dockerfile": "../Dockerfile"}, "source.build.dockerfile"),
        ({"dockerfile": "web/../../Dockerfile"}, "source.build.dockerfile"),
        ({"target": "--opt"}, "source.build.target"),
        ({"args": {"A=B": "x"}}, "source.build.args"),
        ({"args": {"A B": "x"}}, "source.build.args"),
        ({"args": {"$A": "x"}}, "source.build.args"),
        ({"args": {"": "x"}}, "source.build.args"),
        ({"args": {"A": "two\nlines"}}, "source.build.args"),
        ({"secrets": {"../x": "x"}}, "source.build.secrets"),
        ({"secrets": {"a,src=/etc/shadow": "x"}}, "source.build.secrets"),
        ({"limits": {"memory": "1"}}, "source.build.limits.memory"),
        ({"builder": "heroku/builder:24"}, "source.build.builder"),
        ({"method": "kaniko"}, "source.build"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(build: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{"method": "dockerfile"} | build)

    [error] = caught.value.errors()
    assert place_of(error["loc"]) == field


def test_a_build_that_names_no_method_is_by_buildpacks() -> None:
    made = settings(env={"A": "x"}).source

    assert isinstance(made, GitSource)
    assert made.build.method == "buildpacks"


def test_what_is_secret_is_masked_also_where_quotes_split_it() -> None:
    hidden = hidden_values(
        settings(method="dockerfile", args={"A": "it's-a-longer-word"}, secrets={"s": "swordfish"})
    )

    shown = mask("ARG A='it'\"'\"'s-a-longer-word' swordfish it's-a-longer-word", hidden)

    assert "longer" not in shown
    assert "sword" not in shown


def key(commit: str = "c", **build: Any) -> str:
    return content_key(b"key", source(**build), commit)


def test_equal_content_has_one_key() -> None:
    assert key(args={"A": "1"}) == key(args={"A": "1"}, limits={"minutes": 5})


@pytest.mark.parametrize(
    "other",
    [
        {"dockerfile": "other"},
        {"target": "web"},
        {"args": {"A": "1"}},
        {"secrets": {"a": "1"}},
        {"commit": "d"},
    ],
)
def test_everything_an_image_is_made_of_is_in_its_key(other: dict[str, Any]) -> None:
    assert key(**other) != key()


def test_a_secret_cannot_be_guessed_from_the_key() -> None:
    asked = source(secrets={"a": "1"})

    assert content_key(b"one", asked, "c") != content_key(b"other", asked, "c")


def order(**given: Any) -> DockerfileOrder:
    ordinary: dict[str, Any] = {
        "slug": "shop", "sequence": 7, "labels": {"aweigh.deployment": "dep_1"},
        "buildkit": "sha256:b", "image": "aweigh/shop:built-x", "subdirectory": "web",
        "dockerfile": "docker/prod.Dockerfile", "target": "web", "anew": False,
        "network": "aweigh.build", "cpus": 1.0, "memory_bytes": 2**30, "pids": 100,
        "log_bytes": 1024,
        "args": {"A": "argument"}, "secrets": {"npm": "swordfish"},
    }  # fmt: skip
    return DockerfileOrder(**ordinary | given)


def test_the_container_is_an_ordinary_users_and_shows_no_value() -> None:
    spec = dockerfile_spec(Names("aweigh"), order())

    assert (spec.user, spec.nests, spec.network) == ("1000:1000", True, "aweigh.build")
    assert (spec.cpus, spec.memory_bytes, spec.pids) == (1.0, 2**30, 100)
    assert [mount.source for mount in spec.mounts] == ["aweigh.cache-shop-buildkit"]
    assert spec.env == {}
    assert "argument" not in f"{spec} {order()}"
    assert "swordfish" not in f"{spec} {order()}"


def test_the_client_is_told_where_things_are() -> None:
    command = dockerfile_spec(Names("aweigh"), order()).command

    assert command == (
        "--progress=plain", "--allow=network.host", "--frontend=dockerfile.v0",
        "--local=context=/build/context", "--local=dockerfile=/build/dockerfile",
        "--opt=filename=prod.Dockerfile", "--opt=force-network-mode=host", "--opt=target=web",
        "--secret=id=npm,src=/build/secrets/npm",
        "--output=type=docker,dest=/build/image.tar",
    )  # fmt: skip


def test_a_rebuild_takes_nothing_from_the_cache() -> None:
    command = dockerfile_spec(Names("aweigh"), order(anew=True)).command

    assert command is not None
    assert {"--no-cache", "--opt=image-resolve-mode=pull"} <= set(command)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("#7 [2/5] RUN make", "step 2 of 5"),
        ("#12 [web 10/11] COPY . .", "web step 10 of 11"),
        ("#7 [internal] load build context", ""),
        ("#7 1.203 [2/5] printed by a step", ""),
        ("", ""),
    ],
)
def test_a_line_of_buildkit_tells_how_far_the_build_is(line: str, told: str) -> None:
    assert step_begun(line) == told
