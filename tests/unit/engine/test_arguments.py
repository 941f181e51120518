"""What the engine is told of a container's rights."""

import json
from typing import Any

import docker

from aweigh.engine.arguments import create_arguments
from aweigh.engine.container_spec import ContainerSpec


def host_of(**rights: Any) -> dict[str, Any]:
    client = docker.APIClient(base_url="http://localhost:1", version="1.41")
    spec = ContainerSpec(name="a", image="b", labels={}, network="none", **rights)
    try:
        return dict(create_arguments(client, spec)["host_config"])
    finally:
        client.close()


def test_a_container_is_as_the_engine_makes_it() -> None:
    assert not {"CapDrop", "CapAdd", "SecurityOpt", "MaskedPaths"} & set(host_of())


def test_a_confined_one_has_no_rights_and_gets_none() -> None:
    host = host_of(confined=True)

    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])


def test_one_that_nests_may_make_a_user_namespace_and_nothing_else() -> None:
    host = host_of(nests=True)

    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["SETUID", "SETGID"])
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == ([], [])
    assert not host.get("Privileged")
    seccomp, apparmor = host["SecurityOpt"]
    assert apparmor == "apparmor=unconfined"
    [refused] = json.loads(seccomp.removeprefix("seccomp="))["syscalls"]
    assert {"bpf", "ptrace", "init_module", "io_uring_setup"} <= set(refused["names"])
    assert refused["action"] == "SCMP_ACT_ERRNO"


def test_what_is_dropped_is_taken_from_what_the_engine_gives() -> None:
    host = host_of(dropped=("MKNOD", "NET_RAW"))

    assert host["CapDrop"] == ["MKNOD", "NET_RAW"]
    assert not {"CapAdd", "SecurityOpt"} & set(host)
