"""`python -m cli.engine_check`: does a Docker engine answer where Aweigh looks? (exit code 0)"""

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
