"""Builder images, read; and what the phases of a build are told."""

import json
import tomllib
from typing import Any

import pytest

from aweigh.builds.buildpacks.builder import (
    BuildPhase,
    is_trusted,
    processes,
    read_builder,
    read_lifecycle,
    understands_engine,
    verdict,
    was_killed,
    why_no_process,
)
from aweigh.builds.buildpacks.phase_containers import BuildOrder, phase_spec
from aweigh.builds.project_file import Project
from aweigh.core.settings import Settings
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.engine.naming import Names
from aweigh.images.facts import ImageFacts

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


def order(metadata: Any = METADATA, **more: Any) -> BuildOrder:
    return BuildOrder(
        slug="shop", sequence=7, labels={"aweigh.deployment": "dep_1"},
        builder=read_builder(facts(metadata)), lifecycle_image="sha256:l", image="aweigh/shop:x",
        process="web", subdirectory="", network="aweigh.build", socket="/run/docker.sock", cpus=1.0,
        memory_bytes=2**30, log_bytes=1024, pids=100,
        **{"repository": "https://example.com/a/b", "commit": "1" * 40,
           "env": {"TOKEN": "geheim"}, **more},
    )  # fmt: skip


def test_the_best_platform_api_that_both_know_is_spoken() -> None:
    builder = read_builder(facts())

    assert (builder.platform_api, builder.run_image) == ("0.13", "example/run:1")
    assert (builder.user, builder.group, builder.lifecycle) == (1000, 1001, "0.20.8")


def test_the_api_is_one_that_the_lifecycle_of_others_speaks_too() -> None:
    lifecycle = ImageFacts(
        id="sha256:l",
        labels={"io.buildpacks.lifecycle.apis": '{"platform": {"supported": ["0.12", "0.11"]}}'},
    )

    spoken = read_lifecycle(lifecycle)

    assert read_builder(facts(), spoken).platform_api == "0.12"
    with pytest.raises(ValueError, match=r"supports platform API 0\.12, 0\.13, 0\.7, 9\.0"):
        read_builder(facts(), {"0.14"})


@pytest.mark.parametrize("labels", [{}, {"io.buildpacks.lifecycle.apis": "no"}])
def test_what_is_no_lifecycle_is_said(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is not a lifecycle image"):
        read_lifecycle(ImageFacts(id="sha256:l", labels=labels))


@pytest.mark.parametrize(
    ("builder", "trusted"),
    [
        ("heroku/builder:24", True),
        ("docker.io/heroku/builder:24", True),
        ("paketobuildpacks/builder-jammy-base", True),
        ("gcr.io/buildpacks/builder:v1", True),
        ("heroku/builder-of-somebody", False),
        ("evil.example/heroku/builder:24", False),
        ("evil/paketobuildpacks/builder", False),
        ("builder", False),
    ],
)
def test_only_builders_of_known_repositories_are_trusted(builder: str, trusted: bool) -> None:
    default = Settings.model_fields["trusted_builders"].default

    assert is_trusted(ImageReference.parse(builder), default) is trusted


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
         r"platform API 9\.9; Aweigh supports 0\.7 to 0\.14"),
        (facts(CNB_USER_ID="0"), "builds as root"),
        (facts(CNB_USER_ID="root"), "is not a builder image"),
    ],
    ids=range(5),
)  # fmt: skip
def test_what_cannot_build_is_refused(found: ImageFacts, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_builder(found)


@pytest.mark.parametrize("phase", BuildPhase)
def test_a_guest_sees_no_engine_and_whoever_sees_it_runs_no_guest(phase: BuildPhase) -> None:
    spec = phase_spec(Names("aweigh"), order(), phase)
    socket = any(mount.target == "/var/run/docker.sock" for mount in spec.mounts)
    guest = phase in ("detector", "builder")

    assert socket != guest
    assert spec.confined == guest
    assert spec.image == ("sha256:b" if guest else "sha256:l")
    assert spec.network == ("aweigh.build" if guest else "none")
    assert spec.user == ("1000:1001" if guest else "0:1001")
    assert (spec.cpus, spec.memory_bytes, spec.pids) == (1.0, 2**30, 100)


@pytest.mark.parametrize("phase", BuildPhase)
def test_no_variable_of_the_build_is_seen_in_a_container(phase: BuildPhase) -> None:
    spec = phase_spec(Names("aweigh"), order(), phase)

    assert spec.env == {
        "CNB_PLATFORM_API": "0.13",
        "CNB_ANALYZED_PATH": "/analysis/analyzed.toml",
        "CNB_PROJECT_METADATA_PATH": "/analysis/project-metadata.toml",
    }
    assert "geheim" not in repr(spec) + repr(order())


def test_the_restorer_of_an_old_api_is_not_given_the_engine() -> None:
    old = {**METADATA, "lifecycle": {"apis": {"platform": {"supported": ["0.11"]}}}}

    spec = phase_spec(Names("aweigh"), order(old), BuildPhase.RESTORER)

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
    said = verdict(BuildPhase.BUILDER, code)

    assert (said.reason, said.final) == (reason, final)
    assert said.message


def test_a_buildpack_that_was_killed_ran_out_of_memory() -> None:
    assert was_killed("line\nERROR: failed to build: signal: killed\n")
    assert was_killed("\x1b[31;1mERROR: \x1b[0mfailed to build: exit status 137")
    assert not was_killed("ERROR: failed to build: exit status 1")


BUILT = """
[[processes]]
type = "web"
command = ["python"]
[[processes]]
type = "worker"
command = ["python"]
[[buildpacks]]
id = "a"
"""


def test_the_processes_of_a_build_are_read() -> None:
    assert processes(BUILT) == ["web", "worker"]
    assert processes("") == []


@pytest.mark.parametrize(
    "text",
    ["[[processes]]\n", "processes = 3\n", "processes = ['a']\n", "=", "a = " + "[" * 500_000,
     "a." * 500_000 + "b = 1"],
    ids=range(6),
)  # fmt: skip
def test_what_is_no_metadata_of_a_build_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        processes(text)


@pytest.mark.parametrize(
    ("wanted", "defined", "words"),
    [
        ("web", ["worker", "web"], None),
        ("clock", ["worker", "web"], "no process 'clock', only: web, worker. Change"),
        ("web", [], "no process. Add a Procfile with a line `web: command`"),
    ],
)
def test_a_process_that_is_not_there_is_said_with_those_that_are(
    wanted: str, defined: list[str], words: str | None
) -> None:
    why = why_no_process(wanted, defined)

    assert (why is None) if words is None else words in str(why)


def test_the_applications_variables_go_before_the_repositorys() -> None:
    project = Project(env={"A": "repository", "B": "repository"})

    assert order(project=project, env={"B": "application"}).variables == {
        "A": "repository",
        "B": "application",
    }


@pytest.mark.parametrize(
    ("env", "dated"),
    [({}, None), ({"SOURCE_DATE_EPOCH": "1700000000"}, "1700000000"),
     ({"SOURCE_DATE_EPOCH": "-1"}, None), ({"SOURCE_DATE_EPOCH": "a secret"}, None)],
)  # fmt: skip
def test_an_image_is_dated_if_that_is_asked_for(env: dict[str, str], dated: str | None) -> None:
    specs = {phase: phase_spec(Names("aweigh"), order(env=env), phase) for phase in BuildPhase}

    told = {phase: spec.env.get("SOURCE_DATE_EPOCH") for phase, spec in specs.items()}

    assert told == dict.fromkeys(BuildPhase) | {BuildPhase.EXPORTER: dated}


def test_what_an_image_says_of_its_source_is_toml() -> None:
    told = tomllib.loads(order(repository='https://example.com/a"b').provenance)

    assert told["source"] == {
        "type": "git",
        "version": {"commit": "1" * 40},
        "metadata": {"url": 'https://example.com/a"b'},
    }


def test_the_analyzer_is_told_of_the_image_before() -> None:
    first, next_one = order(), order(previous="aweigh/shop:6")

    told = phase_spec(Names("aweigh"), next_one, BuildPhase.ANALYZER).command
    told_at_first = phase_spec(Names("aweigh"), first, BuildPhase.ANALYZER).command

    assert told is not None
    assert told_at_first is not None
    assert told[-3:] == ("-previous-image", "aweigh/shop:6", "aweigh/shop:x")
    assert "-previous-image" not in told_at_first
