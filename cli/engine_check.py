"""`python -m cli.engine_check`: whether a Docker engine answers (exit code 0) where Aweigh looks."""

import sys

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from aweigh.settings import Settings


def main() -> int:
    try:
        docker.APIClient(base_url=Settings().docker_host, version="auto", timeout=5).ping()
    except (DockerException, RequestException, ValueError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
