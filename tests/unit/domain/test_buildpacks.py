"""Builder images, read; and what the phases of a build are told."""

import json
from typing import Any

import pytest

from aweigh.domain.build import DEFAULT_TRUSTED_BUILDERS
from aweigh.domain.buildpacks import (
    PLATFORM_APIS,
    Lifecycle,
    Phase,
    is_trusted,
    read_builder,
    read_lifecycle,
    understands_engine,
    verdict,
    was_killed,
)
from aweigh.domain.container import ImageFacts
from aweigh.domain.deployment import Reason
from aweigh.domain.image import ImageReference
from aweigh.domain.naming import Names
from aweigh.domain.phase import BuildOrder, phase_spec

METADATA = {
    "images": [{"image": "example/run:1"}],
    "lifecycle": {
        "version": "0.20.8",
        "apis": {"platform": {"deprecated": ["0.7"], "supported": ["0.12", "0.13", "9.0"]}},
    },
}


def facts(metadata: Any = METADATA, **env: str) -> ImageFacts:
    return ImageFacts(
        id="sha256:b",
        labels={"io.buildpacks.builder.metadata": json.dumps(metadata)},
        env={"CNB_USER_ID": "1000", "CNB_GROUP_ID": "1001"} | env,
    )


LIFECYCLE = Lifecycle(image="sha256:l", platform_apis=frozenset(PLATFORM_APIS), version="0.20.8")


def order(metadata: Any = METADATA) -> BuildOrder:
    return BuildOrder(
        slug="shop", sequence=7, labels={"aweigh.deployment": "dep_1"},
        builder=read_builder(facts(metadata), LIFECYCLE), image="aweigh/shop:x",
        process="web", subdirectory="", network="aweigh.build", socket="/run/docker.sock", cpus=1.0,
        memory_bytes=2**30, log_bytes=1024, pids=100, env={"TOKEN": "geheim"},
    )  # fmt: skip


def test_the_best_platform_api_that_both_know_is_spoken() -> None:
    builder = read_builder(facts())

    assert (builder.platform_api, builder.run_image) == ("0.13", "example/run:1")
    assert (builder.user, builder.group, builder.lifecycle) == (1000, 1001, "0.20.8")


@pytest.mark.parametrize(
    ("reference", "trusted"),
    [
        ("heroku/builder:24", True), ("heroku/builder", True),
        ("docker.io/heroku/builder:24", True),
        ("index.docker.io/heroku/builder:24", True), (f"heroku/builder@sha256:{'0' * 64}", True),
        ("heroku/builder-classic:22", False), ("example.com/heroku/builder:24", False),
        ("heroku/buildpacks:20", False), ("builder:24", False),
    ],
)  # fmt: skip
def test_a_builder_is_trusted_by_its_repository(reference: str, trusted: bool) -> None:
    assert is_trusted(ImageReference.parse(reference), DEFAULT_TRUSTED_BUILDERS) is trusted


def test_a_trusted_builder_is_given_the_engine_itself() -> None:
    builder = read_builder(facts())

    assert (builder.lifecycle_image, builder.id) == ("sha256:b", "sha256:b")


def test_a_builder_and_a_lifecycle_speak_the_best_platform_api_that_both_know() -> None:
    lifecycle = read_lifecycle(lifecycle_facts("0.11", "0.12", "9.0"))

    builder = read_builder(facts(), lifecycle)

    assert (builder.platform_api, builder.lifecycle_image) == ("0.12", "sha256:l")
    assert builder.id == "sha256:b sha256:l"


def test_a_builder_and_a_lifecycle_without_a_common_platform_api_are_refused() -> None:
    with pytest.raises(ValueError, match=r"speaks platform API .*; 0\.10 to 0\.11 are known"):
        read_builder(facts(), read_lifecycle(lifecycle_facts("0.10", "0.11")))


@pytest.mark.parametrize("label", [None, "no JSON", "{}", "[]"])
def test_what_is_no_lifecycle_image_is_refused(label: str | None) -> None:
    labels = {} if label is None else {"io.buildpacks.lifecycle.apis": label}

    with pytest.raises(ValueError, match="is not a lifecycle image"):
        read_lifecycle(ImageFacts(id="sha256:l", labels=labels))


def lifecycle_facts(*platform_apis: str) -> ImageFacts:
    apis = {"platform": {"deprecated": None, "supported": platform_apis}}
    return ImageFacts(id="sha256:l", labels={"io.buildpacks.lifecycle.apis": json.dumps(apis)})


@pytest.mark.parametrize(
    ("lifecycle", "engine_api", "understood"),
    [
        ("0.20.8", "1.41", True), ("0.21.1", "1.41", True), ("0.21.2", "1.43", False),
        ("0.21.7", "1.41", False), ("0.21.7", "1.44", True), ("v0.21.3+abc", "1.9", False),
        ("0.21.8", "1.41", True), ("0.21.17", "1.41", True), ("", "1.41", True),
    ],
)  # fmt: skip
def test_an_engine_may_be_too_old_for_a_lifecycle(
    lifecycle: str, engine_api: str, understood: bool
) -> None:
    assert understands_engine(lifecycle, engine_api) is understood


def test_an_old_builder_names_its_run_image_and_api_elsewhere() -> None:
    old = {
        "stack": {"runImage": {"image": "example/old-run"}},
        "lifecycle": {"api": {"platform": "0.9"}},
    }

    builder = read_builder(facts(old))

    assert (builder.platform_api, builder.run_image) == ("0.9", "example/old-run")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (ImageFacts(id="sha256:x"), "is not a builder image"),
        (facts({}), "is not a builder image"),
        (facts({**METADATA, "lifecycle": {"apis": {"platform": {"supported": ["9.9"]}}}}),
         r"platform API 9\.9; 0\.7 to 0\.14 are known"),
        (facts(CNB_USER_ID="0"), "builds as root"),
        (facts(CNB_USER_ID="root"), "is not a builder image"),
    ],
    ids=range(5),
)  # fmt: skip
def test_what_cannot_build_is_refused(found: ImageFacts, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_builder(found)


@pytest.mark.parametrize("phase", Phase)
def test_a_guest_sees_no_engine_and_whoever_sees_it_runs_no_guest(phase: Phase) -> None:
    spec = phase_spec(Names("aweigh"), order(), phase)
    socket = any(mount.target == "/var/run/docker.sock" for mount in spec.mounts)
    guest = phase in ("detector", "builder")

    assert socket != guest
    assert spec.confined == guest
    assert spec.image == ("sha256:b" if guest else "sha256:l")
    assert spec.network == ("aweigh.build" if guest else "none")
    assert spec.user == ("1000:1001" if guest else "0:1001")
    assert (spec.cpus, spec.memory_bytes, spec.pids) == (1.0, 2**30, 100)


@pytest.mark.parametrize("phase", Phase)
def test_no_variable_of_the_build_is_seen_in_a_container(phase: Phase) -> None:
    spec = phase_spec(Names("aweigh"), order(), phase)

    assert spec.env == {"CNB_PLATFORM_API": "0.13"}
    assert "geheim" not in repr(spec) + repr(order())


def test_the_restorer_of_an_old_api_is_not_given_the_engine() -> None:
    old = {**METADATA, "lifecycle": {"apis": {"platform": {"supported": ["0.11"]}}}}

    spec = phase_spec(Names("aweigh"), order(old), Phase.RESTORER)

    assert "-daemon" not in (spec.command or ())
    assert not any(mount.target == "/var/run/docker.sock" for mount in spec.mounts)


@pytest.mark.parametrize(
    ("code", "reason", "final"),
    [
        (20, Reason.NO_BUILDPACK, True), (21, Reason.NO_BUILDPACK, True),
        (51, Reason.BUILD_FAILED, True), (62, Reason.BUILD_FAILED, False),
        (99, Reason.BUILD_FAILED, True), (137, Reason.BUILD_FAILED, False),
    ],
)  # fmt: skip
def test_an_exit_code_is_a_reason(code: int, reason: Reason, final: bool) -> None:
    said = verdict(Phase.BUILDER, code)

    assert (said.reason, said.final) == (reason, final)
    assert said.message


def test_a_buildpack_that_was_killed_ran_out_of_memory() -> None:
    assert was_killed("line\nERROR: failed to build: signal: killed\n")
    assert was_killed("\x1b[31;1mERROR: \x1b[0mfailed to build: exit status 137")
    assert not was_killed("ERROR: failed to build: exit status 1")
