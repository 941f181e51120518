"""What the Docker engine's errors mean.

For pulls the HTTP status is useless (credentials, rate limits and networks are all 500 on engine
20.10), so texts are matched, lower-cased; what is not recognised is worth another try.
"""

import re
from typing import Final

from docker.errors import APIError, DockerException

from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepError, StepFailed, StepUnavailable
from aweigh.domain.image import ImageReference

_DISK_FULL: Final = "no space left on device"
#: What docker-py has when there was no answer, and what stands between says when it got none.
_NO_ANSWER: Final = (None, 502, 503, 504)


def text_of(error: Exception) -> str:
    """The engine's own words, on one line, cut to a length that fits everywhere."""
    words = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return " ".join(str(words).split())[:600]


def engine_error(error: Exception, doing: str) -> StepError:
    """An engine call other than a pull failed."""
    text = text_of(error)
    if _DISK_FULL in text.lower():
        return StepFailed(
            Reason.DISK_FULL, f"{doing}: the engine's disk is full. Free some space, then retry."
        )
    if isinstance(error, APIError) and error.status_code not in _NO_ANSWER:
        return StepFailed(Reason.START_FAILED, f"{doing}: {text}")
    if isinstance(error, (DockerException, OSError)):
        return StepUnavailable(
            Reason.ENGINE_UNAVAILABLE, f"{doing}: the Docker engine does not answer: {text}"
        )
    return StepUnavailable(Reason.INTERNAL, f"{doing}: {text}")


_PULL: Final[tuple[tuple[str, Reason, bool, str], ...]] = (
    # pattern, reason, final, what a person can do
    (_DISK_FULL, Reason.DISK_FULL, True, "the engine's disk is full; free some space"),
    (r"toomanyrequests|rate limit|429 too many", Reason.RATE_LIMITED, False,
     "the registry limits how often it is asked; wait, or give credentials"),
    (r"verification failed|failed to register layer|unexpected eof|invalid checksum|"
     r"filesystem layer", Reason.IMAGE_CORRUPT, True,
     "a layer arrived damaged; push the image again"),
    (r"no matching manifest|match the specified platform", Reason.IMAGE_NOT_FOUND, True,
     "build the image for this server's platform too"),
    (r"manifest unknown|manifest for .* not found|name unknown|repository does not exist|"
     r"no such image|pull access denied|invalid reference format", Reason.IMAGE_NOT_FOUND, True,
     "check the image's name and tag; a private image needs source.registry"),
    (r"no basic auth credentials|unauthorized|authentication required|\bdenied\b|"
     r"incorrect username|401 unauth|403 forbidden", Reason.REGISTRY_AUTH, True,
     "the registry refused the credentials; set source.registry"),
    (r"not found", Reason.IMAGE_NOT_FOUND, True, "check the image's name and tag"),
    (r"x509|certificate|tls: |http response to https client", Reason.REGISTRY_UNAVAILABLE, True,
     "the engine does not trust the registry's TLS; install its certificate on the server"),
)  # fmt: skip


def pull_error(text: str, reference: ImageReference) -> StepError:
    """A pull, or asking a registry for a digest, failed with these words of the engine."""
    words = " ".join(text.split())[:600]
    what = f"{reference} from {reference.registry}"
    said = _without_names(words, reference).lower()
    for pattern, reason, final, advice in _PULL:
        if re.search(pattern, said):
            kind = StepFailed if final else StepUnavailable
            return kind(reason, f"Could not pull {what}: {words}. What to do: {advice}.")
    return StepUnavailable(
        Reason.REGISTRY_UNAVAILABLE, f"Could not pull {what}: {words}. It is tried again."
    )


def _without_names(words: str, reference: ImageReference) -> str:
    """An image may be called "denied", and a registry "certificate.example.com"."""
    repository, path = reference.repository, reference.repository.partition("/")[2]
    for name in (str(reference), repository, path, reference.registry):
        words = words.replace(name, "…") if name else words
    return re.sub(r'"[^"]*"', "…", words)  # URLs
