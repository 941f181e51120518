"""Translates the engine's errors of pulls.

The HTTP status is useless (credentials, rate limits and networks are all 500 on engine 20.10), so
messages are matched in lower case; unrecognised errors are retried.
"""

import re
from typing import Final

from aweigh.core.text import one_line
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.errors import DISK_FULL

_PULL: Final[tuple[tuple[str, Reason, bool, str], ...]] = (
    # pattern, reason, final, advice
    (DISK_FULL, Reason.DISK_FULL, True, "the engine's disk is full; free some space, then retry"),
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
