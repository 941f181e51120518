"""What the Docker engine's errors mean; the texts are those of a real engine."""

import pytest
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests import Response
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout

from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.errors import (
    engine_error,
    text_of,
)
from aweigh.images.pull_errors import pull_error

SHOP = ImageReference.parse("registry.example.com:5000/acme/shop:v1")
FINAL, AGAIN = StepFailed, StepUnavailable


def answer(status: int, text: str, kind: type[APIError] = APIError) -> APIError:
    """An error as docker-py raises it."""
    response = Response()
    response.status_code = status
    return kind("for url: http+docker://…", response=response, explanation=text)


@pytest.mark.parametrize(
    ("text", "reason", "kind"),
    [
        ("manifest for registry.example.com:5000/acme/shop:v1 not found: manifest unknown: "
         "manifest unknown", Reason.IMAGE_NOT_FOUND, FINAL),
        ("No such image: acme/shop:v1", Reason.IMAGE_NOT_FOUND, FINAL),
        ("pull access denied for acme/shop, repository does not exist or may require "
         "'docker login'", Reason.IMAGE_NOT_FOUND, FINAL),
        ("pull access denied for acme/shop, repository does not exist or may require "
         "'docker login': denied: requested access to the resource is denied",
         Reason.IMAGE_NOT_FOUND, FINAL),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries",
         Reason.IMAGE_UNSUPPORTED, FINAL),
        ("image with reference acme/shop:v1 was found but does not match the specified platform: "
         "wanted linux/arm64, actual: linux/amd64", Reason.IMAGE_UNSUPPORTED, FINAL),
        ("invalid reference format: repository name must be lowercase",
         Reason.IMAGE_NOT_FOUND, FINAL),
        ('Head "https://registry.example.com:5000/v2/acme/shop/manifests/v1": no basic auth '
         "credentials", Reason.REGISTRY_AUTH, FINAL),
        ("unauthorized: authentication required", Reason.REGISTRY_AUTH, FINAL),
        ("login attempt to https://registry.example.com:5000/v2/ failed with status: "
         "401 Unauthorized", Reason.REGISTRY_AUTH, FINAL),
        ("denied", Reason.REGISTRY_AUTH, FINAL),
        ("denied: requested access to the resource is denied", Reason.REGISTRY_AUTH, FINAL),
        ("received unexpected HTTP status: 403 Forbidden", Reason.REGISTRY_AUTH, FINAL),
        ("unauthorized: incorrect username or password", Reason.REGISTRY_AUTH, FINAL),
        ("toomanyrequests: You have reached your pull rate limit.", Reason.RATE_LIMITED, AGAIN),
        ("received unexpected HTTP status: 429 Too Many Requests", Reason.RATE_LIMITED, AGAIN),
        ("received unexpected HTTP status: 503 Service Unavailable",
         Reason.REGISTRY_UNAVAILABLE, AGAIN),
        ('Get "https://registry.example.com:5000/v2/": dial tcp 10.0.0.1:5000: connect: '
         "connection refused", Reason.REGISTRY_UNAVAILABLE, AGAIN),
        ('Get "https://registry.example.com:5000/v2/": dial tcp: lookup registry.example.com on '
         "10.0.0.2:53: no such host", Reason.REGISTRY_UNAVAILABLE, AGAIN),
        ('Get "https://registry.example.com:5000/v2/": net/http: TLS handshake timeout',
         Reason.REGISTRY_UNAVAILABLE, AGAIN),
        ('Get "https://registry.example.com:5000/v2/": context deadline exceeded',
         Reason.REGISTRY_UNAVAILABLE, AGAIN),
        ('Get "https://registry.example.com:5000/v2/": x509: certificate signed by unknown '
         "authority", Reason.REGISTRY_UNAVAILABLE, FINAL),
        ('Get "https://registry.example.com:5000/v2/": http: server gave HTTP response to HTTPS '
         "client", Reason.REGISTRY_UNAVAILABLE, FINAL),
        ("filesystem layer verification failed for digest sha256:0123", Reason.IMAGE_CORRUPT,
         FINAL),
        ("unexpected EOF", Reason.IMAGE_CORRUPT, FINAL),
        ("failed to register layer: Error processing tar file(exit status 1): unexpected EOF",
         Reason.IMAGE_CORRUPT, FINAL),
        ("write /var/lib/docker/tmp/GetImageBlob012: no space left on device", Reason.DISK_FULL,
         FINAL),
        ("failed to register layer: write /usr/lib/x: no space left on device", Reason.DISK_FULL,
         FINAL),
        ("something that nobody has seen before", Reason.REGISTRY_UNAVAILABLE, AGAIN),
        ("", Reason.REGISTRY_UNAVAILABLE, AGAIN),
    ],
    ids=range(30),
)  # fmt: skip
def test_what_a_pull_failed_of_is_told(text: str, reason: Reason, kind: type[StepError]) -> None:
    error = pull_error(text, SHOP)

    assert (error.reason, type(error)) == (reason, kind)
    assert str(SHOP) in error.message
    assert "registry.example.com:5000" in error.message
    assert text in error.message


@pytest.mark.parametrize(
    "name",
    ["shop:v401", "x509/certificate:v1", "unauthorized/denied:429", "acme/tls:403",
     "acme/no-such-host:eof", "registry.example.com:4010/shop:v1"],
)  # fmt: skip
def test_words_in_an_images_name_mislead_nobody(name: str) -> None:
    reference = ImageReference.parse(name)
    missing = f"manifest for {name} not found: manifest unknown: manifest unknown"
    away = f'Get "https://{reference.repository}/v2/": dial tcp 10.4.0.1:4011: connection refused'

    assert pull_error(missing, reference).reason is Reason.IMAGE_NOT_FOUND
    assert pull_error(away, reference).reason is Reason.REGISTRY_UNAVAILABLE
    assert isinstance(pull_error(away, reference), StepUnavailable)


@pytest.mark.parametrize(
    ("error", "reason", "kind"),
    [
        (answer(500, "write /x: no space left on device"), Reason.DISK_FULL, FINAL),
        (answer(404, "No such image: x:1", ImageNotFound), Reason.START_FAILED, FINAL),
        (answer(404, "network aweigh-backend not found", NotFound), Reason.START_FAILED, FINAL),
        (answer(400, 'OCI runtime create failed: exec: "/nope": stat /nope: no such file'),
         Reason.START_FAILED, FINAL),
        (answer(400, "No command specified"), Reason.START_FAILED, FINAL),
        (answer(400, "Minimum memory limit allowed is 6MB"), Reason.START_FAILED, FINAL),
        (answer(400, "bind source path does not exist: /srv/x"), Reason.START_FAILED, FINAL),
        (answer(403, "Pool overlaps with other one on this address space"), Reason.START_FAILED,
         FINAL),
        (answer(409, "volume is in use - [0123]"), Reason.START_FAILED, FINAL),
        (answer(500, "driver failed programming external connectivity on endpoint x: Bind for "
                     "0.0.0.0:8080 failed: port is already allocated"), Reason.START_FAILED, FINAL),
        (DockerException("Error while fetching server API version: ('Connection aborted.', "
                         "FileNotFoundError(2, 'No such file or directory'))"),
         Reason.ENGINE_UNAVAILABLE, AGAIN),
        (RequestsConnectionError("Connection aborted."), Reason.ENGINE_UNAVAILABLE, AGAIN),
        (ConnectTimeout("timed out"), Reason.ENGINE_UNAVAILABLE, AGAIN),
        (APIError("without an answer"), Reason.ENGINE_UNAVAILABLE, AGAIN),
        (answer(503, "Service Unavailable"), Reason.ENGINE_UNAVAILABLE, AGAIN),
        (RuntimeError("odd"), Reason.INTERNAL, AGAIN),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_an_engine_call_failed_of_is_told(
    error: Exception, reason: Reason, kind: type[StepError]
) -> None:
    told = engine_error(error, "create container x", wanted=True)

    assert (told.reason, type(told)) == (reason, kind)
    assert told.message.startswith("create container x: ")


@pytest.mark.parametrize(("status", "kind"), [(500, AGAIN), (409, FINAL), (404, FINAL)])
def test_what_nobody_asked_for_is_tried_again_when_the_engine_cannot_do_it(
    status: int, kind: type[StepError]
) -> None:
    told = engine_error(answer(status, "containerd is gone"), "remove container x", wanted=False)

    assert type(told) is kind


def test_the_engines_own_words_stand_on_one_line_and_end() -> None:
    assert text_of(answer(500, "one\n\ttwo\r\n three")) == "one two three"
    assert len(text_of(answer(500, "x" * 5000))) <= 601
    assert text_of(RuntimeError("a  b")) == "a b"
