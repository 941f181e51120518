"""The connection of one pull to the engine."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import docker
from docker.auth import encode_header

from aweigh.domain.errors import PullStopped
from aweigh.domain.image import ImageReference
from aweigh.domain.platform import Platform
from aweigh.domain.source import Registry


class PullLine:
    """Reads what the engine says of a pull, and may be given up from another thread."""

    def __init__(self) -> None:
        self._given_up = False
        self._answer: Any = None

    def events(
        self,
        c: docker.APIClient,
        reference: ImageReference,
        registry: Registry | None,
        platform: Platform | None,
    ) -> Iterator[Mapping[str, Any]]:
        """What the engine says, until it is done or given up. Raises: PullStopped."""
        wanted = {"fromImage": reference.repository, "tag": reference.digest or reference.tag}
        if platform:
            wanted["platform"] = str(platform)
        # `pull`, which does not hand out the connection.
        self._answer = c._post(  # type: ignore[attr-defined]
            c._url("/images/create"),  # type: ignore[attr-defined]
            params=wanted,
            headers={"X-Registry-Auth": encode_header(credentials_of(registry))},
            stream=True,
            timeout=None,
        )  # fmt: skip
        try:
            c._raise_for_status(self._answer)  # type: ignore[attr-defined]
            if not self._given_up:
                yield from c._stream_helper(self._answer, decode=True)  # type: ignore[attr-defined]
            if self._given_up:
                raise PullStopped(str(reference))
        finally:
            self._answer.close()

    def hang_up(self) -> None:
        """End the reading, and with it the pull: the engine stops for one who does not listen."""
        self._given_up = True
        with suppress(AttributeError, OSError):  # it has just ended
            self._answer.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)


def credentials_of(registry: Registry | None) -> dict[str, str]:
    """Always explicit: without them docker-py would read ~/.docker/config.json of this process."""
    if registry is None:
        return {}
    return {"username": registry.username, "password": registry.password.get_secret_value()}
