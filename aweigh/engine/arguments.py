"""Translates a container's specification for the engine's API."""

from typing import Any, Final

import docker

from aweigh.engine.container_spec import (
    LOG_OPTIONS,
    ContainerSpec,
)
from aweigh.engine.seccomp import NESTING_PROFILE

#: The kernel lets a user namespace mount /proc only if the outer /proc is fully visible. The files
#: that the engine would mask belong to root, and these containers run as other users.
_PROC_FOR_NESTING: Final[dict[str, Any]] = {"MaskedPaths": [], "ReadonlyPaths": []}


def create_arguments(c: docker.APIClient, spec: ContainerSpec) -> dict[str, Any]:
    """Return the arguments of `create_container`."""
    host: dict[str, Any] = {
        "restart_policy": {"Name": spec.restart},
        "log_config": {"Type": "json-file", "Config": _log_options(spec)},
        "mounts": [
            docker.types.Mount(
                target=mount.target,
                source=mount.source,
                type="bind" if mount.is_bind else "volume",
                read_only=mount.read_only,
                no_copy=mount.no_copy,
            )
            for mount in spec.mounts
        ],
        "port_bindings": {f"{port.container}/{port.protocol}": port.host for port in spec.ports},
        "network_mode": spec.network,
    } | _bounds(spec)
    endpoint = c.create_endpoint_config(ipv4_address=spec.address)
    networked = spec.network not in ("host", "none")
    return {
        "image": spec.image,
        "name": spec.name,
        "command": list(spec.command) if spec.command is not None else None,
        "entrypoint": list(spec.entrypoint) if spec.entrypoint is not None else None,
        "environment": dict(spec.env),
        "user": spec.user or None,
        "labels": dict(spec.labels),
        "ports": [(port.container, port.protocol) for port in spec.ports],
        "stop_timeout": spec.stop_grace,  # for an engine that shuts down by itself
        "host_config": c.create_host_config(**host) | (_PROC_FOR_NESTING if spec.nests else {}),
        "networking_config": {"EndpointsConfig": {spec.network: endpoint}} if networked else None,
    }


def _bounds(spec: ContainerSpec) -> dict[str, Any]:
    """Return the container's limits and capabilities."""
    host: dict[str, Any] = {}
    if spec.cpus:
        host["nano_cpus"] = int(spec.cpus * 1e9)
    if spec.memory_bytes:
        # Memory plus swap equals memory, so that swap cannot extend the limit.
        host |= {"mem_limit": spec.memory_bytes, "memswap_limit": spec.memory_bytes}
    if spec.pids:
        host["pids_limit"] = spec.pids
    if spec.dropped:
        host["cap_drop"] = list(spec.dropped)
    if spec.confined:
        host |= {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
    if spec.nests:
        # Only for `newuidmap`, which maps a range of ids into a user namespace.
        host |= {"cap_drop": ["ALL"], "cap_add": ["SETUID", "SETGID"]}
        host["security_opt"] = [f"seccomp={NESTING_PROFILE}", "apparmor=unconfined"]
    return host


def _log_options(spec: ContainerSpec) -> dict[str, str]:
    kept = {"max-size": str(spec.log_bytes)} if spec.log_bytes else {}
    return {**LOG_OPTIONS, **kept}
