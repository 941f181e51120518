"""`python -m cli.engine_check`: exit code 0 if the configured Docker engine answers."""

import sys

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from aweigh.core.errors import StartupError
from worker.process import CANNOT_START, load_settings


def main() -> int:
    """Return 0 if the engine answers, 1 if it does not, 3 if a setting is wrong."""
    try:
        settings = load_settings()
    except StartupError as error:
        sys.stderr.write(f"aweigh: {error}\n")
        return CANNOT_START
    try:
        docker.APIClient(base_url=settings.docker_host, version="auto", timeout=5).ping()
    except (DockerException, RequestException, ValueError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
