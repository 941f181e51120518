"""The container in which BuildKit builds a Dockerfile, and what its client is told there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aweigh.builds.buildpacks.containers import BUILD_ROLE, engine_log
from aweigh.containers.naming import Names
from aweigh.containers.spec import ROLE, ContainerSpec, Mount

#: The one phase of such a build.
PHASE: Final = "dockerfile"
#: The user of BuildKit's rootless images, https://github.com/moby/buildkit/blob/master/docs/rootless.md.
USER: Final = 1000
PLACE: Final = "/build"
CONTEXT: Final = f"{PLACE}/context"
DOCKERFILE: Final = f"{PLACE}/dockerfile"
SECRETS: Final = f"{PLACE}/secrets"
RESULT: Final = f"{PLACE}/image.tar"
_STATE: Final = "/home/user/.local/share/buildkit"
#: Megabytes of an application's cache that outlive a build.
_CACHE_KEPT: Final = 10_000
#: BuildKit did not come up; its client never ends so.
NOT_STARTED: Final = 125

#: BuildKit's "host" is its container, whose network a rootless one has for its steps in any case;
#: but only to steps of that mode does it leave the engine's name server, which is on loopback.
_NETWORK: Final = "network.host"

#: `#7 [web 2/5] RUN make`; `stage` is left out where there is one only.
_STEP: Final = re.compile(r"#\d+ \[(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<count>\d+)\] ")

_SCRIPT: Final = f"""
rootlesskit buildkitd --allow-insecure-entitlement={_NETWORK} \\
  --oci-worker-gc-keepstorage={_CACHE_KEPT} >{PLACE}/buildkitd.log 2>&1 &
daemon=$!
until buildctl debug workers >/dev/null 2>&1; do
  kill -0 $daemon 2>/dev/null || {{ cat {PLACE}/buildkitd.log; exit {NOT_STARTED}; }}
  sleep 0.1
done
status=0
buildctl build "$@" || status=$?
kill $daemon
wait $daemon
exit $status
"""


@dataclass(frozen=True, kw_only=True)
class DockerfileOrder:
    """One image to be built from a Dockerfile, on one server."""

    slug: str
    sequence: int
    labels: Mapping[str, str]
    #: The id of BuildKit's image.
    buildkit: str
    image: str
    subdirectory: str
    dockerfile: str
    target: str | None
    #: Nothing of the cache is used.
    anew: bool
    network: str
    cpus: float
    memory_bytes: int
    pids: int
    #: How much a deployment's log takes of what is printed.
    log_bytes: int
    args: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def file_name(self) -> str:
        return self.dockerfile.rpartition("/")[2]


def step_begun(line: str) -> str:
    """What a line of BuildKit's plain progress says about how far it is; empty: nothing."""
    begun = _STEP.match(line)
    return (
        f"{begun['stage'] or ''} step {begun['number']} of {begun['count']}".strip()
        if begun
        else ""
    )


def client_arguments(order: DockerfileOrder) -> tuple[str, ...]:
    """What everybody on the server can read: no value of an argument or a secret."""
    options = {"filename": order.file_name, "force-network-mode": "host"}
    if order.target:
        options["target"] = order.target
    if order.anew:
        options["image-resolve-mode"] = "pull"
    return (
        "--progress=plain", f"--allow={_NETWORK}", "--frontend=dockerfile.v0",
        f"--local=context={CONTEXT}", f"--local=dockerfile={DOCKERFILE}",
        *(f"--opt={key}={value}" for key, value in options.items()),
        *(f"--secret=id={name},src={SECRETS}/{name}" for name in sorted(order.secrets)),
        *(("--no-cache",) if order.anew else ()),
        f"--output=type=docker,dest={RESULT}",
    )  # fmt: skip


def dockerfile_spec(names: Names, order: DockerfileOrder) -> ContainerSpec:
    """The container of the build: an ordinary user's, with a user namespace of its own inside."""
    return ContainerSpec(
        name=names.build(order.slug, order.sequence, PHASE),
        image=order.buildkit,
        labels=dict(order.labels) | {ROLE: BUILD_ROLE, "traefik.enable": "false"},
        entrypoint=("sh", "-c", _SCRIPT, "build"),
        command=client_arguments(order),
        network=order.network,
        mounts=(Mount(source=names.cache(order.slug, "buildkit"), target=_STATE),),
        user=f"{USER}:{USER}",
        cpus=order.cpus,
        memory_bytes=order.memory_bytes,
        pids=order.pids,
        nests=True,
        log_bytes=engine_log(order.log_bytes),
    )
