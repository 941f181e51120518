"""Names of variables that programs ask for reach containers and builds as they are."""

import pytest

from tests.support.building import FILES, Builds

pytestmark = pytest.mark.docker

PYTHON = ("/usr/local/bin/python", "-I", "-S", "-B")
NAMES = ["discovery.type", "my-var", "1st", "Größe", "a b"]
READ = f"""
import os
for name in {NAMES!r}:
    print(name, os.environ[name] == name * 3, flush=True)
"""
BUILD = f"""
for name in {NAMES!r}:
    print(name, open(f"/platform/env/{{name}}").read() == name * 3, flush=True)
"""


async def test_any_name_reaches_the_container_and_the_build(builds: Builds) -> None:
    values = {name: name * 3 for name in NAMES}
    builds.git.push("named-variables", FILES | {"build.py": BUILD})
    source = builds.source("named-variables")
    source["build"] = source["build"] | {"env": values}
    app = await builds.stack.create(
        "named-variables", source, env=values, release_command=[*PYTHON, "-c", READ]
    )

    deployed = (await builds.stack.deploy(app)).json()

    assert deployed["state"] == "succeeded", deployed
    log = await builds.stack.log(deployed["id"])
    for name in NAMES:
        assert log.count(f"{name} True") == 2
