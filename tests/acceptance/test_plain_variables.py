"""Plain variables are read in logs and answers; secret ones beside them in none."""

from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest

from tests.support.building import FILES, Builds, building
from tests.support.buildkit_image import buildkit_image
from tests.support.dockerfiles import RESULT, TOOLS, python_files, tools_files
from tests.support.git_server import GitServer
from tests.support.images import temporary_repository
from tests.support.outside import change
from tests.support.stack import running_stack

pytestmark = pytest.mark.docker

TOKEN = "correct-horse-battery-staple"
LISTEN = "127.0.0.1:8000"
PLAIN = {"value": LISTEN, "secret": False}
VARIABLES: dict[str, Any] = {"LISTEN": PLAIN, "TOKEN": TOKEN}
PYTHON = ("/usr/local/bin/python", "-I", "-S", "-B")
SAYS = "print('{}: listening on', {}, 'with', {}, flush=True)"
#: The variables of a build by Buildpacks are files.
BUILD = SAYS.format("build", *(f"open('/platform/env/{name}').read()" for name in VARIABLES))
RELEASE = "import os; " + SAYS.format("release", *(f"os.environ[{name!r}]" for name in VARIABLES))
EXIT = RELEASE.replace("release", "container") + "; raise SystemExit(1)"
DOCKERFILE = f"""{TOOLS}
FROM tools AS build
ARG LISTEN
ARG TOKEN
RUN echo "build: listening on $LISTEN with $TOKEN"; echo built > /built
{RESULT}"""


def said(part: str, listen: str = LISTEN) -> str:
    return f"{part}: listening on {listen} with **********"


@pytest.fixture(scope="module")
async def builds(
    engine: docker.DockerClient,
    git: GitServer,
    builder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Builds]:
    """Where both kinds of builds are made."""
    with temporary_repository(engine) as repository:
        async with running_stack(
            tmp_path_factory.mktemp("plain"), **building(builder),
            AWEIGH_BUILDKIT_IMAGE=buildkit_image(engine, repository),
        ) as running:  # fmt: skip
            yield Builds(running, git, builder, engine)


async def test_a_plain_variable_is_read_wherever_programs_print_it(builds: Builds) -> None:
    stack, name = builds.stack, "plain-words"
    builds.git.push(name, FILES | {"build.py": BUILD})
    source = builds.source(name, env=VARIABLES)
    app = await stack.create(
        name, source, env=VARIABLES, release_command=[*PYTHON, "-c", RELEASE],
        domains=[{"host": f"{name}.localhost", "tls": False}],
    )  # fmt: skip
    path = f"/v1/applications/{app['id']}"

    first = (await stack.deploy(app)).json()
    await change(stack, app, env={"LISTEN": {"secret": True}})
    hidden = (await stack.deploy(app)).json()
    asked = (await stack.call("POST", f"/v1/deployments/{first['id']}/rollback")).json()
    back = await stack.deployment(asked["id"], wait=300)
    await change(stack, app, env={"LISTEN": PLAIN}, command=[*PYTHON, "-c", EXIT])
    failed = (await stack.deploy(app)).json()["deployment"]

    assert [one["state"] for one in (first, hidden, back)] == ["succeeded"] * 3
    log = await stack.log(first["id"])
    assert said("build") in log
    assert said("release") in log
    hidden_log = await stack.log(hidden["id"])
    assert said("release", "**********") in hidden_log
    assert "built before" in hidden_log  # a mark is no reason to build anything again
    assert said("release") in await stack.log(back["id"])
    assert failed["reason"] == "start_failed"
    assert said("container") in await stack.log(failed["id"])
    [health] = [one for one in failed["steps"] if one["name"] == "health"]
    assert said("container") in health["detail"]
    shown = (await stack.call("GET", path)).json()
    assert shown["env"] == {"LISTEN": PLAIN, "TOKEN": {"secret": True}}
    assert shown["source"]["build"]["env"] == shown["env"]
    assert (await stack.call("GET", f"{path}/env")).json() == VARIABLES
    for text in (str(shown), log, hidden_log, str(failed)):
        assert TOKEN not in text


@pytest.mark.long
async def test_a_plain_argument_of_a_dockerfile_is_read_in_the_log(builds: Builds) -> None:
    stack, name = builds.stack, "plain-arguments"
    builds.git.push(name, {**tools_files(), **python_files(), "Dockerfile": DOCKERFILE})
    build = {"method": "dockerfile", "args": VARIABLES}
    source = {"type": "git", "repository": builds.git.url(name), "build": build}
    # The slug, which every name on the engine holds, as the value of a secret variable.
    app = await stack.create(
        name, source, env={"NAME": name}, domains=[{"host": f"{name}.localhost", "tls": False}]
    )

    deployed = (await stack.deploy(app)).json()

    assert deployed["state"] == "succeeded", deployed
    log = await stack.log(deployed["id"])
    assert said("build") in log
    assert TOKEN not in log
    assert f"preflight of {name} #1" in log
    [step] = [one for one in deployed["steps"] if one["name"] == "build"]
    assert step["detail"].endswith(deployed["image"]["reference"])
    assert app["source"]["build"]["args"] == {"LISTEN": PLAIN, "TOKEN": {"secret": True}}


async def test_a_stored_secret_is_shown_to_nobody_by_its_mark(builds: Builds) -> None:
    stack, name = builds.stack, "still-secret"
    app = await stack.create(name, builds.source(name, env=VARIABLES), env=VARIABLES)
    path, mark = f"/v1/applications/{app['id']}", {"TOKEN": {"secret": False}}

    answers = [
        await stack.call("PATCH", path, json={"env": mark}),
        await stack.call("PATCH", path, json={"source": {"build": {"env": mark}}}),
        await stack.call("PUT", f"{path}/env", json=mark),
    ]

    for answer in answers:
        assert answer.status_code == 422
        assert "only if its value is given anew" in answer.text
    assert TOKEN not in (await stack.call("GET", path)).text
