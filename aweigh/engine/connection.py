"""A separate connection for one request to the engine that can be closed at any moment."""

import json
import socket
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

import docker
from docker.errors import APIError, DockerException, StreamParseError
from docker.utils import parse_host
from docker.utils.json_stream import json_stream

from aweigh.core.errors import PullStopped

_CHUNK: Final = 64 * 1024
#: A running engine accepts a connection at once, however busy it is.
_CONNECT_SECONDS: Final = 10.0


class AbortableConnection:
    """Sends the engine requests that wait for a registry, and can abort them.

    The engine may not answer before the registry has. docker-py returns a connection only with the
    response's headers, so until then nothing could abort the wait.
    """

    def __init__(self, host: str, timeout: float | None = None) -> None:
        """`timeout`: the longest wait for the next bytes, in seconds."""
        self._host = host
        self._timeout = timeout
        self._changing = threading.Lock()
        self._given_up = False
        self._socket: socket.socket | None = None

    def hang_up(self) -> None:
        """Abort the request, from another thread; the engine stops when its client disconnects."""
        with self._changing:
            self._given_up = True
            if self._socket:
                with suppress(OSError):  # the engine has closed it already
                    self._socket.shutdown(socket.SHUT_RDWR)

    def events(
        self, c: docker.APIClient, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        """Send a POST request and yield the engine's messages. Raises the errors of `value`."""
        with self._answer("POST", c, f"{path}?{urlencode(query)}", headers) as answer:
            yield from cast(Iterator[Mapping[str, Any]], json_stream(_texts(answer)))

    def value(self, c: docker.APIClient, path: str, headers: Mapping[str, str]) -> Any:
        """Send a GET request and return the JSON value.

        Raises:
            PullStopped: the request was aborted.
            TimeoutError: no bytes arrived in time.
            DockerException: the engine is down, or returned an error (`APIError`).
        """
        with self._answer("GET", c, path, headers) as answer:
            return json.loads(answer.read())

    @contextmanager
    def _answer(
        self, method: str, c: docker.APIClient, path: str, headers: Mapping[str, str]
    ) -> Iterator[HTTPResponse]:
        connection = HTTPConnection("localhost")
        try:
            connection.sock = self._connected()
            connection.request(method, f"/v{c.api_version}{path}", headers=dict(headers))
            with connection.getresponse() as answer:
                _raise_for_status(answer)
                yield answer
            if self._given_up:
                raise PullStopped(path)
        except (OSError, HTTPException, StreamParseError, ValueError) as error:
            if self._given_up:
                raise PullStopped(path) from error
            if isinstance(error, (DockerException, TimeoutError)):
                raise
            raise DockerException(f"the connection broke: {error!r}") from error
        finally:
            connection.close()

    def _connected(self) -> socket.socket:
        line = _connect(str(parse_host(self._host)))
        line.settimeout(self._timeout)
        with self._changing:
            self._socket = line
            if self._given_up:
                line.close()
                raise PullStopped("aborted before the request")
        return line


def _connect(address: str) -> socket.socket:
    """Connect. Raises: DockerException: the engine is down."""
    try:
        if not address.startswith("http+unix://"):
            parts = urlsplit(address)
            host, port = parts.hostname or "localhost", parts.port or 80
            return socket.create_connection((host, port), _CONNECT_SECONDS)
        return _connect_unix(address.removeprefix("http+unix://"))
    except OSError as error:
        raise DockerException(f"no connection: {error}") from error


def _connect_unix(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(_CONNECT_SECONDS)
        line.connect(path)
    except OSError:
        line.close()
        raise
    return line


def _texts(answer: HTTPResponse) -> Iterator[str]:
    decoder = getincrementaldecoder("utf-8")("replace")
    while chunk := answer.read1(_CHUNK):
        yield decoder.decode(chunk)


def _raise_for_status(answer: HTTPResponse) -> None:
    if answer.status < 400:
        return
    text = answer.read().decode(errors="replace")
    with suppress(ValueError, LookupError, TypeError):
        text = json.loads(text)["message"]
    raise APIError(f"{answer.status} {answer.reason}", explanation=text.strip())
