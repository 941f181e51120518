"""What a registry's and the engine's words mean for a deployment."""

import pytest

from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import StepFailed
from aweigh.images.images import PullProgress
from aweigh.images.pull_errors import pull_error

SHOP = ImageReference.parse("127.0.0.1:40123/acme/shop:v1")


@pytest.mark.parametrize(
    ("words", "reason", "final"),
    [
        ("manifest unknown: manifest unknown", "image_not_found", True),
        (f"manifest for {SHOP} not found: manifest unknown", "image_not_found", True),
        ('Head "http://127.0.0.1:40123/v2/": no basic auth credentials', "registry_auth", True),
        ("unauthorized: authentication required", "registry_auth", True),
        ("denied", "registry_auth", True),
        ("denied: requested access to the resource is denied", "registry_auth", True),
        (
            "pull access denied for acme/shop, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            "image_not_found",
            True,
        ),
        ("toomanyrequests: You have reached your pull rate limit.", "rate_limited", False),
        ("received unexpected HTTP status: 503 Service Unavailable", "registry_unavailable", False),
        (
            'Get "http://127.0.0.1:40123/v2/": dial tcp 127.0.0.1:40123: connect: '
            "connection refused",
            "registry_unavailable",
            False,
        ),
        ("dial tcp: lookup nowhere.invalid: no such host", "registry_unavailable", False),
        ("x509: certificate signed by unknown authority", "registry_unavailable", True),
        ("http: server gave HTTP response to HTTPS client", "registry_unavailable", True),
        ("filesystem layer verification failed for digest sha256:00", "image_corrupt", True),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk_full", True),
        (
            "no matching manifest for linux/amd64 in the manifest list entries",
            "image_unsupported",
            True,
        ),
        ("no match for platform in manifest sha256:00: not found", "image_unsupported", True),
        (
            'image operating system "windows" cannot be used on this platform',
            "image_unsupported",
            True,
        ),
        (
            "unsupported media type application/vnd.cncf.helm.config.v1+json",
            "image_unsupported",
            True,
        ),
        (
            'Encountered remote "application/vnd.docker.plugin.v1+json"(plugin) when fetching',
            "image_unsupported",
            True,
        ),
        ("invalid rootfs in image configuration", "image_unsupported", True),
        (
            "[DEPRECATION NOTICE] Docker Image Format v1 and Docker Image manifest version 2, "
            "schema 1 support is disabled",
            "image_unsupported",
            True,
        ),
        ("something nobody has seen before", "registry_unavailable", False),
    ],
)
def test_the_engines_words_become_a_reason(words: str, reason: str, final: bool) -> None:
    error = pull_error(words, SHOP)

    assert (error.reason, isinstance(error, StepFailed)) == (reason, final)
    assert error.message.startswith(f"Could not pull {SHOP} from 127.0.0.1:40123: ")
    assert "What to do: " in error.message


@pytest.mark.parametrize(
    "image",
    ["127.0.0.1:40100/shop", "401.example.com:5000/shop", "r.example.com/unauthorized/certificate"],
)
def test_a_name_or_a_port_is_not_taken_for_a_word_of_the_registry(image: str) -> None:
    reference = ImageReference.parse(image)
    host = reference.registry
    words = f'Get "https://{host}/v2/": dial tcp {host}: connect: connection refused ({image})'

    assert pull_error(words, reference).reason == "registry_unavailable"


def test_progress_counts_the_last_bytes_of_a_layer_that_nobody_tells() -> None:
    progress = PullProgress()
    for status, current in (("Downloading", 700_000), ("Download complete", 0)):
        detail = {"current": current, "total": 1_000_000}
        progress.take({"id": "0123456789ab", "status": status, "progressDetail": detail})

    assert str(progress) == "0 of 1 layers, 1.0 MB"
