"""Interprets the error messages of `git`."""

import re
from typing import Final

from aweigh.builds.source.submodule_addresses import Submodule
from aweigh.core.text import one_line
from aweigh.deployments.deployment import Reason
from aweigh.deployments.repository import owner_of
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)
from aweigh.secrets.value import mask_lines

_CHECK_CREDENTIALS: Final = "authentication required; set `credentials` with read access"
_PATTERNS: Final[tuple[tuple[str, Reason, bool, str], ...]] = (
    # pattern, reason, final, advice
    (r"no space left on device", Reason.DISK_FULL, True,
     "the server's disk is full; free some space, then retry"),
    (r"cannot run ssh", Reason.INTERNAL, True,
     "ssh is not installed on the server: apt-get install openssh-client"),
    (r"host key verification failed|remote host identification has changed",
     Reason.REPOSITORY_AUTH, True, "the host's key is not the one in `known_hosts`"),
    (r"error in libcrypto|invalid format", Reason.REPOSITORY_AUTH, True,
     "the deploy key cannot be read; it must be whole, and without a passphrase"),
    (r"could not read username|authentication failed|permission denied \(|invalid credentials|"
     r"\b401\b|\b403\b|terminal prompts disabled", Reason.REPOSITORY_AUTH, True,
     _CHECK_CREDENTIALS),
    (r"not our ref|couldn't find remote ref|unadvertised object|bad object|"
     r"not a commit|not a tree", Reason.COMMIT_NOT_FOUND, True,
     "the repository does not contain this commit"),
    (r"mismatched algorithms", Reason.COMMIT_NOT_FOUND, True,
     "the commit id has the wrong length for this repository (SHA-1: 40 digits, SHA-256: 64)"),
    (r"invalid path", Reason.BUILD_FAILED, True,
     "the commit contains a path that git rejects; rename it"),
    (r"repository .*not found|does not appear to be a git repository|\b404\b",
     Reason.REPOSITORY_NOT_FOUND, True, "check its address; a private one needs `credentials`"),
    (r"unable to update url base from redirection|\b30[1278]\b", Reason.REPOSITORY_NOT_FOUND, True,
     "it has moved; redirects are not followed, so set its new address"),
    (r"transport .* not allowed", Reason.REPOSITORY_NOT_FOUND, True,
     "only https and ssh are allowed"),
)  # fmt: skip


def git_error(lines: list[str], source: GitSource) -> StepError:
    """Return the error for a failed `git` command; unrecognised ones are retried.

    ssh prints the cause on separate lines; the message shows it together with git's own lines.
    """
    # Mask before lines are selected: one of them could be a part of a wrapped secret.
    lines = mask_lines(lines, source.secrets)
    for pattern, reason, final, advice in _PATTERNS:
        causes = [line for line in lines if re.search(pattern, line.lower())]
        if causes:
            if advice == _CHECK_CREDENTIALS and source.credentials:
                advice = "the configured `credentials` were rejected; check their read access"
            kind = StepFailed if final else StepUnavailable
            shown = one_line(" ".join(dict.fromkeys([*causes[:1], *_of_git(lines)])), 400)
            return kind(reason, f"{source.repository}: {advice} ({shown}).")
    text = one_line(" ".join(_of_git(lines) or lines), 400)
    return StepUnavailable(
        Reason.REPOSITORY_NOT_FOUND, f"{source.repository} cannot be read: {text}"
    )


def _of_git(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"(fatal|error|remote|ssh|git@|\w+@)", line)]


def submodule_error(
    error: StepError, submodule: Submodule, own: GitSource, superproject: GitSource
) -> StepError:
    """Return the error for a submodule, naming its path and withheld credentials."""
    if error.reason is Reason.DISK_FULL:
        return error
    owner = owner_of(superproject.repository)
    kept = f" The credentials are for {owner} only."
    withheld = superproject.credentials is not None and own.credentials is None
    message = f"The submodule {submodule.path!r}: {error.message}{kept if withheld else ''}"
    return type(error)(Reason.SUBMODULE_FAILED, message)
