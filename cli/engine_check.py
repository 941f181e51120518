"""`python -m cli.engine_check`: does a Docker engine answer where Aweigh looks? (exit code 0)"""

import sys

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from aweigh.core.errors import StartupError
from worker.process import CANNOT_START, load_settings


def main() -> int:
    """0: it answers; 1: it does not; 3: a setting is wrong, which no engine would change."""
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
