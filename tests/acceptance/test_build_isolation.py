"""Builds that mean harm are contained, and nobody else notices."""

import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest

from aweigh.builds.buildpacks.builder import BuildPhase
from aweigh.containers.build_firewall import Firewall, interface_of
from tests.support import hostile
from tests.support.building import FILES, STAMP, Builds, building
from tests.support.checkpoint import default_bridge_address
from tests.support.git_server import GitServer
from tests.support.load import Run, running
from tests.support.moment import container_starts, go_on, stand_still, stopping
from tests.support.outside import containers
from tests.support.ports import free_ports
from tests.support.shop import Shop, fast_flows, lost
from tests.support.stack import running_stack

pytestmark = pytest.mark.docker
_ROOM = 2 * 1024**3
_LOG_BYTES = 1024**2


@pytest.fixture(scope="module")
async def builds(
    engine: docker.DockerClient,
    git: GitServer,
    builder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Builds]:
    """A stack whose disk is soon full, and whose logs are short."""
    root = Path(engine.info()["DockerRootDir"])
    reserve = max(shutil.disk_usage(root).free - _ROOM, 0)
    async with running_stack(
        tmp_path_factory.mktemp("hostile"),
        **building(builder),
        AWEIGH_DISK_RESERVE_BYTES=str(reserve),
        AWEIGH_LOG_BYTES=str(_LOG_BYTES),
    ) as stack:
        yield Builds(stack, git, builder, engine)


@pytest.fixture(scope="module")
async def neighbour(builds: Builds, engine: docker.DockerClient) -> Shop:
    """Another application, which is live."""
    shop = Shop(builds.stack, "neighbour", f"{builds.stack.prefix}/demo/application")
    shop.make(engine, "v1")
    [port] = free_ports(1)
    await shop.open("v1", ports=[{"host": port, "container": 8000}])
    return shop


@pytest.fixture
async def run(neighbour: Shop) -> AsyncIterator[Run]:
    """The other application is asked all the while, and loses nothing."""
    async with running(neighbour.load(fast_flows(100))) as load:
        yield load
    report = load.report()
    print(f"{report.sent} requests, {report.failed} lost; {report.latencies}")  # noqa: T201
    assert report.failed == 0, lost(report)


async def test_what_is_built_reaches_nothing_of_this_server(
    engine: docker.DockerClient, builds: Builds, neighbour: Shop
) -> None:
    stack, [container] = builds.stack, containers(engine, builds.stack.prefix, "neighbour")
    bridge = default_bridge_address(engine)
    [network] = container.attrs["NetworkSettings"]["Networks"].values()
    ports = [neighbour.application["ports"][0]["host"], stack.web_port]
    there = [(host, port) for host in (bridge, network["Gateway"]) for port in ports]
    there.append((network["IPAddress"], 8000))
    for place in there:
        socket.create_connection(place, 3).close()  # from here they are reached
    nowhere = [(bridge, 22), ("169.254.169.254", 80), ("10.0.0.1", 80), ("127.0.0.1", ports[0])]
    names = ["neighbour", str(container.name), f"{stack.prefix}-proxy", "host.docker.internal"]
    paths = ["/var/run/docker.sock", "/run/docker.sock", "/var/lib/docker", str(stack.data)]
    script = hostile.SPY.format(addresses=there + nowhere, ports=ports, names=names, paths=paths)

    app = await builds.runs("spy", script)
    deployed = await builds.ended(app)

    log = await stack.log(deployed["id"])
    assert deployed["state"] == "succeeded", log
    assert " reached " not in log
    assert log.count(" refused ") == 7 + 4 + len(names) + 2 * len(paths) + 3
    assert f"capabilities {0:016x} {0:016x}" in log
    assert "new privileges forbidden 1" in log
    assert "who 1000 [1000]" in log
    mounts = {line.rpartition(" mount ")[2] for line in log.splitlines() if " mount " in line}
    outside = {one for one in mounts if not one.startswith(("/proc", "/dev", "/sys"))}
    assert outside == {
        "/", "/workspace", "/layers", "/analysis",
        "/etc/resolv.conf", "/etc/hostname", "/etc/hosts",
    }  # fmt: skip


async def test_walls_that_fell_in_the_middle_of_a_build_stand_before_its_code_runs(
    engine: docker.DockerClient, builds: Builds
) -> None:
    """As where somebody reloads the packet filter while a large cache is restored."""
    gateway = default_bridge_address(engine)
    walls = Firewall(interface=interface_of(f"{builds.stack.prefix}.build"))
    app = await builds.runs("walled", hostile.SPY.format(
        addresses=[(gateway, builds.stack.web_port)], ports=[], names=[], paths=[],
    ))  # fmt: skip
    stand_still(builds.stack, "server")
    deployment = (await builds.stack.deploy(app, wait=0)).json()

    restoring = container_starts(builds.phase(deployment, BuildPhase.RESTORER))
    async with stopping(builds.stack, restoring) as stopped:
        go_on(builds.stack)
        await stopped()
    walls.remove_now()
    go_on(builds.stack)
    end = await builds.stack.deployment(deployment["id"], wait=600)

    log = await builds.stack.log(deployment["id"])
    assert end["state"] == "succeeded", log
    assert f"refused {gateway}:{builds.stack.web_port} " in log


async def test_what_is_built_stands_on_no_other_image(
    engine: docker.DockerClient, builds: Builds, neighbour: Shop
) -> None:
    victim = engine.images.get(f"{builds.stack.prefix}/neighbour:1")
    app = await builds.runs("fakes", hostile.FAKER.replace("IMAGE", victim.tags[0]))
    commit = builds.git.push("fakes", {})

    deployed = await builds.ended(app)

    log = await builds.stack.log(deployed["id"])
    assert deployed["state"] == "succeeded", log
    assert "forged /layers/analyzed.toml" in log
    assert "forged /analysis" not in log
    labels = engine.images.get(f"{builds.stack.prefix}/fakes:1").labels
    run_image = json.loads(labels["io.buildpacks.lifecycle.metadata"])["runImage"]
    base = engine.images.get(builds.builder.replace(":builder", ":run"))
    assert f"sha256:{run_image['reference']}" == base.id
    assert commit in labels["io.buildpacks.project.metadata"]


async def test_links_of_a_repository_lead_nowhere(builds: Builds, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("web: echo the-servers-own-file\n")
    tmp_path.chmod(0o755)
    for name, link, target in (
        ("linked-procfile", "Procfile", str(secret)),
        ("climbing-procfile", "Procfile", f"{'../' * 20}{secret}".replace("//", "/")),
        ("linked-project", "project.toml", str(secret)),
    ):
        files = {path: text for path, text in FILES.items() if path != link}
        builds.git.push(
            name, files | {"build.py": f"import os; print('is', os.path.exists({link!r}))"}
        )
        (builds.git.tree(name) / link).symlink_to(target)
        builds.git.push(name, {})
        deployment = await builds.ended(await builds.follow(name))
        log = await builds.stack.log(deployment["id"])

        assert deployment["state"] in ("failed", "succeeded")
        assert "the-servers-own-file" not in log + str(deployment)
        assert "is True" not in log


async def test_forks_without_end_end_at_the_limit(builds: Builds, run: Run) -> None:
    app = await builds.runs("forks", hostile.FORK_BOMB, limits={"pids": 64})

    deployment = await builds.begun(app, "no more processes")
    await run.until(lambda: run.sent > 300)

    await builds.cancelled(deployment)
    assert builds.leavings() == []


async def test_a_build_that_takes_all_memory_is_out_of_it(builds: Builds, run: Run) -> None:
    app = await builds.runs("takes-memory", hostile.MEMORY, limits={"memory": "64m"})

    end = await builds.failed(app)

    assert end["reason"] == "out_of_memory", end
    assert "`build.limits.memory`" in end["message"]
    assert builds.leavings() == []


async def test_a_build_that_fills_the_disk_is_stopped_at_the_reserve(
    builds: Builds, run: Run
) -> None:
    root = Path(builds.engine.info()["DockerRootDir"])
    before = shutil.disk_usage(root).free

    end = await builds.failed(await builds.runs("disk", hostile.DISK))

    log = await builds.stack.log(end["id"])
    assert end["reason"] == "disk_full", end
    assert "GiB must stay free" in end["message"]
    assert "filled 3" in log
    assert builds.leavings() == []
    assert shutil.disk_usage(root).free > before - _ROOM / 2


@pytest.mark.long
async def test_a_log_that_is_full_ends_with_a_line_that_says_so(builds: Builds) -> None:
    deployment = await builds.ended(await builds.runs("floods", hostile.FLOOD))

    text = await builds.stack.log(deployment["id"])
    lines = [line[STAMP:] for line in text.splitlines()]
    begun = lines.index(f"{'x' * 8192}…")
    numbers = [line[:6] for line in lines if line.endswith("y" * 93)]
    [full] = [line for line in lines if "records no more of it" in line]
    assert deployment["state"] == "succeeded"
    assert _LOG_BYTES < len(text.encode()) < _LOG_BYTES + 10_000
    assert numbers == [f"{number:06}" for number in range(len(numbers))]
    assert lines[begun + 1 + len(numbers)] == full
    assert "preflight" in lines[0]
    assert "drain" in text.rpartition(full)[2]  # the steps still say what they do
