"""What `git` says when it fails, and what that means for a deployment."""

import re
from typing import Final

from aweigh.domain.deployment import Reason
from aweigh.domain.errors import StepError, StepFailed, StepUnavailable
from aweigh.domain.source import GitSource
from aweigh.domain.text import one_line

_CHECK_CREDENTIALS: Final = "set `credentials` that may read it, or check those that are set"
_PATTERNS: Final[tuple[tuple[str, Reason, bool, str], ...]] = (
    # pattern, reason, final, what a person can do
    (r"no space left on device", Reason.DISK_FULL, True,
     "the server's disk is full; free some space, then retry"),
    (r"host key verification failed|remote host identification has changed",
     Reason.REPOSITORY_AUTH, True, "the host's key is not the one in `known_hosts`"),
    (r"could not read username|authentication failed|permission denied \(|invalid credentials|"
     r"\b401\b|\b403\b|terminal prompts disabled", Reason.REPOSITORY_AUTH, True,
     _CHECK_CREDENTIALS),
    (r"not our ref|couldn't find remote ref|unadvertised object|bad object",
     Reason.COMMIT_NOT_FOUND, True, "the repository has no such commit (any more)"),
    (r"repository .*not found|does not appear to be a git repository|\b404\b",
     Reason.REPOSITORY_NOT_FOUND, True, "check its address; a private one needs `credentials`"),
    (r"unable to update url base from redirection|\b30[1278]\b", Reason.REPOSITORY_NOT_FOUND, True,
     "it has moved; redirects are not followed, so set its new address"),
    (r"transport .* not allowed", Reason.REPOSITORY_NOT_FOUND, True,
     "only https and ssh are allowed"),
)  # fmt: skip


def git_error(lines: list[str], source: GitSource) -> StepError:
    """A `git` command failed; what is not recognised is worth another try."""
    words = [line for line in lines if re.match(r"(fatal|error|remote|ssh|git@|\w+@)", line)]
    text = one_line(" ".join(words or lines), 400)
    for pattern, reason, final, advice in _PATTERNS:
        if re.search(pattern, text.lower()):
            kind = StepFailed if final else StepUnavailable
            return kind(reason, f"{source.repository}: {advice} ({text}).")
    return StepUnavailable(
        Reason.REPOSITORY_NOT_FOUND, f"{source.repository} cannot be read now: {text}"
    )
