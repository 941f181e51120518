"""What a repository may ask for: submodules, large files, a commit by any name, its processes."""

from typing import Any

import pytest

from tests.support.building import FILES, PROCFILE, Builds
from tests.support.outside import ask, containers, step, until

pytestmark = pytest.mark.docker

PYTHON = ("/usr/local/bin/python", "-I", "-S", "-B")
RELEASE = (*PYTHON, "-c", "print('release', open('VERSION').read(), flush=True)")


async def test_submodules_and_large_files_are_part_of_what_is_built(builds: Builds) -> None:
    lib = builds.git.push("parts-lib", {"part": "of the submodule"})
    large = {".gitattributes": "*.bin filter=lfs\n", "a.bin": builds.git.lfs.add(b"large bytes")}
    modules = {".gitmodules": '[submodule "lib"]\n path = lib\n url = ../parts-lib.git\n'}
    script = "print(open('lib/part').read(), open('a.bin').read(), flush=True)"
    files = FILES | large | modules | {"build.py": script}
    builds.git.push("parts", files, links={"lib": lib})
    given = builds.source("parts") | {"submodules": True, "lfs": True}
    app = await builds.follow("parts", source=given)

    deployed = (await builds.stack.deploy(app)).json()

    assert deployed["state"] == "succeeded", deployed
    log = await builds.stack.log(deployed["id"])
    assert "of the submodule large bytes" in log
    assert f"fetch {lib} of {builds.git.url('parts-lib')} into lib" in log


async def test_a_submodule_that_cannot_be_read_is_named_and_nothing_of_it_stays(
    builds: Builds,
) -> None:
    modules = {".gitmodules": '[submodule "lib"]\n path = lib\n url = ../parts-gone.git\n'}
    builds.git.push("partless", FILES | modules, links={"lib": "1" * 40})
    given = builds.source("partless") | {"submodules": True}

    failed = await builds.failed(await builds.follow("partless", source=given))

    assert failed["reason"] == "submodule_failed"
    assert "The submodule 'lib': " in failed["message"]
    assert builds.leavings() == []


async def test_a_tag_a_branch_and_a_commit_are_deployed_by_hook_and_api(builds: Builds) -> None:
    tagged = builds.git.push("named", FILES)
    builds.git.tag("named", "v1", tagged, annotated=True)
    branch = builds.git.push("named", {"on": "a branch"}, "feature")
    builds.git.push("named", {"on": "main"})
    app = await builds.follow("named")

    async def by_api(**body: str) -> dict[str, Any]:
        path = f"/v1/applications/{app['id']}/deployments"
        answer = await builds.stack.call("POST", path, params={"wait": 120}, json=body)
        return dict(answer.json())

    by_tag = (await builds.stack.deploy(app, "v1")).json()
    by_branch = (await builds.stack.deploy(app, "feature")).json()
    by_commit = await by_api(commit=tagged)
    gone = await builds.failed(app, tag="v2")
    wrong = await builds.stack.deploy(app, "--upload-pack=touch")

    assert [one["commit"] for one in (by_tag, by_branch, by_commit)] == [tagged, branch, tagged]
    assert by_commit["image"] == by_tag["image"]  # the same commit is not built again
    assert (gone["reason"], "no tag or branch 'v2'" in gone["message"]) == (
        "commit_not_found",
        True,
    )
    assert (wrong.status_code, "tag" in wrong.text) == (422, True)


async def test_the_process_that_is_chosen_runs_and_one_that_is_not_there_is_said(
    builds: Builds,
) -> None:
    builds.git.push(
        "processes",
        FILES | {"Procfile": f"{PROCFILE}worker: {' '.join(PYTHON)} application.py --work\n"},
    )
    app = await builds.follow("processes", source=builds.source("processes", process="worker"))

    deployed = (await builds.stack.deploy(app)).json()
    [container] = containers(builds.engine, builds.stack.prefix, "processes")
    wrong = {"source": builds.source("processes", process="clock")}
    await builds.stack.call("PATCH", f"/v1/applications/{app['id']}", json=wrong)
    failed = await builds.failed(app)

    assert deployed["state"] == "succeeded", deployed
    assert container.top()["Processes"][0][-1].endswith("--work")
    assert failed["reason"] == "build_failed"
    assert "no process 'clock', only: web, worker" in failed["message"]
    assert "exporter" not in str(failed["steps"])
    assert builds.leavings() == []


async def test_a_release_command_runs_in_what_was_built_before_the_switch(
    builds: Builds,
) -> None:
    builds.git.push("migrates", FILES | {"VERSION": "1"})
    app = await builds.follow("migrates", release_command=RELEASE)

    first = (await builds.stack.deploy(app)).json()
    builds.git.push("migrates", {"VERSION": None})
    failed = await builds.failed(app)

    assert first["state"] == "succeeded", first
    assert (await builds.stack.log(first["id"])).count("release 1") == 1
    assert failed["reason"] == "release_command_failed"
    assert await step(builds.stack, failed["id"], "create") == {}
    assert (await ask(builds.stack, "migrates.localhost")).status_code == 200


@pytest.mark.long
async def test_a_clone_whose_worker_died_is_taken_away(builds: Builds) -> None:
    app = await builds.runs("cloned", "import time\nprint('it waits', flush=True)\ntime.sleep(600)")
    deployment = await builds.begun(app, "it waits")
    clones = builds.stack.data / "server" / "builds" / deployment["id"]
    assert (clones / "source" / "Procfile").exists()
    (clones / "fetching-0").mkdir()  # as one that was killed while it fetched leaves behind

    builds.stack.kill("server")
    path = f"/v1/deployments/{deployment['id']}/cancel?wait=600"
    ended = (await builds.stack.call("POST", path)).json()

    async def gone() -> bool:
        return not clones.exists()

    await until(gone)
    assert ended["state"] == "failed"
    assert builds.leavings() == []
