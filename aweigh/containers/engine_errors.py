"""Translates errors of the Docker engine.

For pulls the HTTP status is useless (credentials, rate limits and networks are all 500 on engine
20.10), so messages are matched in lower case; unrecognised errors are retried.
"""

import re
from typing import Final

from docker.errors import APIError, DockerException
from urllib3.exceptions import HTTPError

from aweigh.core.errors import StepError, StepFailed, StepUnavailable
from aweigh.core.text import one_line
from aweigh.deployments.deployment import Reason
from aweigh.images.reference import ImageReference

_DISK_FULL: Final = "no space left on device"
#: The status of docker-py's error without a response, and those of proxies in between.
_NO_ANSWER: Final = (None, 502, 503, 504)


def text_of(error: Exception) -> str:
    """Return the engine's message on one line of limited length."""
    words = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return one_line(str(words))


def engine_error(error: Exception, doing: str, *, wanted: bool) -> StepError:
    """Return the error for a failed engine call other than a pull.

    `wanted`: the call creates something that a user asked for, so any rejection is final. Otherwise
    a 5xx error is retried.
    """
    text = text_of(error)
    if _DISK_FULL in text.lower():
        return StepFailed(
            Reason.DISK_FULL, f"{doing}: the engine's disk is full. Free some space, then retry."
        )
    if isinstance(error, APIError) and "exec format error" in text.lower():
        return StepFailed(
            Reason.IMAGE_UNSUPPORTED,
            f"{doing}: {text}: the program is for another platform. Build the image for this "
            "server's platform.",
        )
    if isinstance(error, APIError) and error.status_code not in _NO_ANSWER:
        kind = StepFailed if wanted or error.status_code < 500 else StepUnavailable
        return kind(Reason.START_FAILED, f"{doing}: {text}")
    if isinstance(error, (DockerException, OSError, HTTPError)):
        return StepUnavailable(
            Reason.ENGINE_UNAVAILABLE, f"{doing}: the Docker engine does not answer: {text}"
        )
    return StepUnavailable(Reason.INTERNAL, f"{doing}: {text}")


_PULL: Final[tuple[tuple[str, Reason, bool, str], ...]] = (
    # pattern, reason, final, advice
    (_DISK_FULL, Reason.DISK_FULL, True, "the engine's disk is full; free some space, then retry"),
    (r"toomanyrequests|rate limit|429 too many", Reason.RATE_LIMITED, False,
     "the registry limits the rate of requests; wait, or set credentials"),
    (r"verification failed|failed to register layer|unexpected eof|invalid checksum|"
     r"filesystem layer", Reason.IMAGE_CORRUPT, True,
     "a layer arrived damaged; push the image again"),
    (r"no matching manifest|match the specified platform|no match for platform|"
     r"cannot be used on this platform|operating system is not supported",
     Reason.IMAGE_UNSUPPORTED, True, "build the image for this server's platform too"),
    (r"schema ?1|schema version 1|manifest\.v1\+", Reason.IMAGE_UNSUPPORTED, True,
     "the image's format is no longer supported by engines; build and push it with a newer tool"),
    (r"unsupported media ?type|invalid rootfs in image configuration|encountered remote|"
     r"(unsupported|unrecognized|unknown) manifest|mismatched image rootfs",
     Reason.IMAGE_UNSUPPORTED, True,
     "this is not a container image but another artefact (a chart, a signature, an SBOM, …); "
     "deploy the tag of the image"),
    # Before "denied": Docker Hub reports both for an image that does not exist.
    (r"repository does not exist|pull access denied|invalid reference format",
     Reason.IMAGE_NOT_FOUND, True,
     "check the image's name and tag; a private image needs source.registry"),
    (r"no basic auth credentials|unauthorized|authentication required|\bdenied\b|"
     r"incorrect username|\b401\b|403 forbidden", Reason.REGISTRY_AUTH, True,
     "authentication required, or the credentials were rejected; set source.registry"),
    (r"manifest unknown|manifest for .* not found|name unknown|not found|no such image",
     Reason.IMAGE_NOT_FOUND, True,
     "check the image's name and tag; a private image needs source.registry"),
    (r"http response to https client|does not look like a tls handshake",
     Reason.REGISTRY_UNAVAILABLE, True,
     "the registry speaks HTTP where the engine expects HTTPS; give it a certificate, or name it "
     "in the engine's insecure-registries"),
    (r"x509|certificate|tls: ", Reason.REGISTRY_UNAVAILABLE, True,
     "the engine does not trust the registry's TLS; install its certificate on the server"),
)  # fmt: skip
_IS_IT_THERE: Final = "check that the registry runs and that the server can reach it, then retry"
#: Quoted parts of a message, in which a port or a name must not match a pattern.
_QUOTED: Final = re.compile(r"\"https?://[^\"]*\"|\b[\w.-]+:\d+\b|\bsha256:[a-f0-9]+")


def pull_error(text: str, reference: ImageReference) -> StepError:
    """Return the error for a failed pull or digest request; `text` is the engine's message."""
    words = one_line(text)
    own = words.replace(str(reference), "").replace(reference.repository, "")
    said = _QUOTED.sub("", own).lower()
    for pattern, reason, final, advice in _PULL:
        if re.search(pattern, said):
            kind = StepFailed if final else StepUnavailable
            return kind(reason, _pull_message(reference, words, advice))
    return StepUnavailable(
        Reason.REGISTRY_UNAVAILABLE, _pull_message(reference, words, _IS_IT_THERE)
    )


def registry_silent(reference: ImageReference, seconds: float) -> StepError:
    """Return the error for a registry that sent nothing for `seconds`."""
    words = f"the registry has not answered for {seconds:.0f} s"
    return StepUnavailable(
        Reason.REGISTRY_UNAVAILABLE, _pull_message(reference, words, _IS_IT_THERE)
    )


def _pull_message(reference: ImageReference, words: str, advice: str) -> str:
    what = f"{reference} from {reference.registry}"
    return f"Could not pull {what}: {words}. What to do: {advice}."
