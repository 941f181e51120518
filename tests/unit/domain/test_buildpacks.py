"""Builder images, read; and what the phases of a build are told."""

import json
from typing import Any

import pytest

from aweigh.domain.buildpacks import Phase, read_builder, verdict, was_killed
from aweigh.domain.container import ImageFacts
from aweigh.domain.deployment import Reason
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


def order(metadata: Any = METADATA) -> BuildOrder:
    return BuildOrder(
        slug="shop", sequence=7, labels={"aweigh.deployment": "dep_1"},
        builder=read_builder(facts(metadata)), lifecycle_image="sha256:l", image="aweigh/shop:x",
        process="web", subdirectory="", network="aweigh.build", socket="/run/docker.sock", cpus=1.0,
        memory_bytes=2**30, log_bytes=1024, pids=100, env={"TOKEN": "geheim"},
    )  # fmt: skip


def test_the_best_platform_api_that_both_know_is_spoken() -> None:
    builder = read_builder(facts())

    assert (builder.platform_api, builder.run_image) == ("0.13", "example/run:1")
    assert (builder.user, builder.group, builder.lifecycle) == (1000, 1001, "0.20.8")


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
