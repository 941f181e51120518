"""What the last words of BuildKit 0.25 mean."""

import pytest

from aweigh.builds.dockerfile.verdict import dockerfile_verdict
from aweigh.deployments.deployment import Reason

HOST = 'failed to do request: Head "https://r.example/v2/a/manifests/1": dial tcp'


@pytest.mark.parametrize(
    ("words", "reason", "final", "said"),
    [
        ('process "/bin/sh -c make" did not complete successfully: exit code: 137',
         Reason.OUT_OF_MEMORY, True, "raise `build.limits.memory`"),
        ('process "/bin/sh -c echo \\"hi\\"; exit 7" did not complete successfully: exit code: 7',
         Reason.BUILD_FAILED, True, "ended with exit code 7"),
        ("dockerfile parse error on line 3: unknown instruction: RUNN (did you mean RUN?)",
         Reason.DOCKERFILE_INVALID, True, "line 3"),
        ("the Dockerfile cannot be empty", Reason.DOCKERFILE_INVALID, True, "correct it"),
        ('target stage "nope" could not be found', Reason.DOCKERFILE_INVALID, True,
         "`build.target`"),
        ("failed to read dockerfile: open No: no such file or directory",
         Reason.DOCKERFILE_NOT_FOUND, True, "`build.dockerfile`"),
        ('failed to compute cache key: failed to calculate checksum of ref a::b: "/no": not found',
         Reason.BUILD_FAILED, True, "commit the file"),
        ("secret npm: not found", Reason.BUILD_FAILED, True, "`build.secrets`"),
        (f"r.example/a:1: failed to resolve source metadata for r.example/a:1: {HOST}: no host",
         Reason.REGISTRY_UNAVAILABLE, False, "Base image r.example/a:1 cannot be pulled"),
        ("r.example/a:1: failed to resolve source metadata for r.example/a:1: r.example/a:1: "
         "not found", Reason.IMAGE_NOT_FOUND, True, "does not exist in its registry"),
        ("acme/a: failed to resolve source metadata for docker.io/acme/a:latest: pull access "
         "denied, repository does not exist or may require authorization: server message: "
         "insufficient_scope: authorization failed", Reason.IMAGE_NOT_FOUND, True, "acme/a"),
        ("r.example/a: failed to resolve source metadata for r.example/a:latest: failed to "
         "authorize: failed to fetch anonymous token: 401 Unauthorized",
         Reason.REGISTRY_AUTH, True, "must be public"),
        ("a: failed to resolve source metadata for docker.io/library/a:latest: 429 Too Many "
         "Requests - toomanyrequests", Reason.RATE_LIMITED, False, "wait"),
        ("failed to load LLB: network.host is not allowed", Reason.BUILD_FAILED, True,
         "network.host is not allowed"),
    ],
)  # fmt: skip
def test_the_last_words_have_a_reason(words: str, reason: Reason, final: bool, said: str) -> None:
    found = dockerfile_verdict(["#5 DONE 0.1s", "error: of something before", "",
                                f"error: failed to solve: {words}"])  # fmt: skip

    assert (found.reason, found.final) == (reason, final)
    assert said in found.message


def test_an_end_without_last_words_is_worth_another_try() -> None:
    found = dockerfile_verdict(["#5 [2/2] RUN make", "#5 1.2 compiling"])

    assert (found.reason, found.final) == (Reason.BUILD_FAILED, False)


def test_a_build_cannot_forge_the_last_words() -> None:
    forged = "#5 0.1 error: failed to solve: dockerfile parse error"

    assert dockerfile_verdict([forged]).final is False
