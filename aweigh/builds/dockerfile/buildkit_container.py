"""The container in which BuildKit builds a Dockerfile, and the arguments of its client."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aweigh.builds.buildpacks.phase_containers import BUILD_ROLE, engine_log
from aweigh.engine.container_spec import (
    ContainerSpec,
    Mount,
)
from aweigh.engine.labels import ROLE
from aweigh.engine.naming import Names

#: The only phase of a Dockerfile build.
PHASE: Final = "dockerfile"
#: The user of BuildKit's rootless images, https://github.com/moby/buildkit/blob/master/docs/rootless.md.
USER: Final = 1000
PLACE: Final = "/build"
CONTEXT: Final = f"{PLACE}/context"
DOCKERFILE: Final = f"{PLACE}/dockerfile"
SECRETS: Final = f"{PLACE}/secrets"
RESULT: Final = f"{PLACE}/image.tar"
_STATE: Final = "/home/user/.local/share/buildkit"
#: Size to which an application's cache is trimmed after a build, in megabytes.
_CACHE_KEPT: Final = 10_000
#: Exit code if BuildKit did not start; its client never uses this one.
NOT_STARTED: Final = 125

#: Build steps share the network of BuildKit's container. Rootless BuildKit does that anyway, but
#: keeps the engine's name server, which is on loopback, only for steps with this mode.
_NETWORK: Final = "network.host"

#: `#7 [web 2/5] RUN make`; BuildKit omits the stage if there is only one.
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
    """The inputs of one Dockerfile build on one server."""

    slug: str
    sequence: int
    labels: Mapping[str, str]
    #: The id of BuildKit's image.
    buildkit: str
    image: str
    subdirectory: str
    dockerfile: str
    target: str | None
    #: Build without the cache.
    anew: bool
    network: str
    cpus: float
    memory_bytes: int
    pids: int
    #: The maximum size of a deployment's log.
    log_bytes: int
    args: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def file_name(self) -> str:
        return self.dockerfile.rpartition("/")[2]


def step_begun(line: str) -> str:
    """Return the progress that a line of BuildKit's plain output reports, or ""."""
    begun = _STEP.match(line)
    return (
        f"{begun['stage'] or ''} step {begun['number']} of {begun['count']}".strip()
        if begun
        else ""
    )


def client_arguments(order: DockerfileOrder) -> tuple[str, ...]:
    """Return the client's arguments. Every user of the server can read them, so they contain no
    values of arguments or secrets."""
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
    """Return the container of the build: an ordinary user's, which creates a user namespace."""
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
