"""A container as the engine reports it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import docker
from docker.errors import NotFound


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container as the engine reports it now."""

    id: str
    name: str
    labels: Mapping[str, str]
    image_id: str
    status: str  # created, running, restarting, paused, exited, dead
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    health: str = ""  # starting, healthy, unhealthy; empty without HEALTHCHECK
    health_output: str = ""
    restarts: int = 0
    restart: str = ""  # the current policy; `aweigh.restart` is the one it was created with
    addresses: Mapping[str, str] = field(default_factory=dict)  # by network
    started_at: str = ""
    finished_at: str = ""

    @property
    def running(self) -> bool:
        return self.status == "running"

    def seconds(self, now: datetime) -> float:
        """Return how many seconds it has run, by the engine's clock; 0 if it was never started."""
        if self.status == "created":
            return 0.0
        end = now if self.running else datetime.fromisoformat(self.finished_at)
        return (end - datetime.fromisoformat(self.started_at)).total_seconds()


def inspect(c: docker.APIClient, name: str) -> Container | None:
    """Return the container of that name; None if there is none."""
    try:
        raw: dict[str, Any] = c.inspect_container(name)
    except NotFound:
        return None
    state, health = raw["State"], raw["State"].get("Health") or {}
    last = (health.get("Log") or [{}])[-1]
    networks = raw["NetworkSettings"]["Networks"] or {}
    return Container(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        labels=raw["Config"]["Labels"] or {},
        image_id=raw["Image"],
        status=state["Status"],
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        error=state["Error"],
        health=health.get("Status", ""),
        health_output=str(last.get("Output", "")),
        restarts=raw["RestartCount"],
        restart=raw["HostConfig"]["RestartPolicy"]["Name"],
        addresses={name: address_in(network or {}) for name, network in networks.items()},
        started_at=state["StartedAt"],
        finished_at=state["FinishedAt"],
    )


def address_in(network: Mapping[str, Any]) -> str:
    """Return the static address, which a stopped container keeps, or the current one."""
    return (network.get("IPAMConfig") or {}).get("IPv4Address") or network.get("IPAddress") or ""
