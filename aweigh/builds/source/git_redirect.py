"""Handles redirects of a repository's server: followed on the same server, else rejected.

Forges redirect addresses without `.git` and those of renamed repositories. git itself would follow
redirects to any server and take credentials along, so that is switched off.
"""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from aweigh.builds.source.git_environment import GitEnvironment
from aweigh.core.subprocesses import run_tool
from aweigh.core.text import one_line, printable
from aweigh.deployments.deployment import Reason
from aweigh.deployments.repository import repository_url
from aweigh.deployments.source import GitSource
from aweigh.deployments.step_errors import StepFailed

_REDIRECTED: Final = re.compile(r"returned error: 30[1278]\b|update url base from redirection")
_LOCATION: Final = re.compile(r"<= recv header:\s*location:\s*(\S+)", re.IGNORECASE)
#: The first path below a repository's address that git requests.
_ASKED: Final = "/info/refs"
#: Trace headers only: the response's Location is needed, and it contains no secret of ours.
_TRACE: Final = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}


def is_redirect(lines: list[str]) -> bool:
    return any(_REDIRECTED.search(line.lower()) for line in lines)


async def redirect_of(source: GitSource, env: GitEnvironment) -> str | None:
    """Return the address that the server redirects to; None if it does not redirect.

    Raises:
        StepFailed: the new address is not that of a repository.
    """
    found: list[str] = []

    def take(line: str) -> None:
        if match := _LOCATION.search(line):
            found.append(match[1])

    asked = ["git", "ls-remote", source.repository, "HEAD"]
    await run_tool(asked, env={**env, **_TRACE}, directory=env.home, tell=take)
    if not found:
        return None
    target = urljoin(f"{source.repository}{_ASKED}", found[0]).partition("?")[0]
    try:
        return repository_url(target.removesuffix(_ASKED))
    except ValueError:
        raise moved_away(source, target) from None


def is_same_place(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def moved_away(source: GitSource, target: str) -> StepFailed:
    return StepFailed(
        Reason.REPOSITORY_NOT_FOUND,
        f"{source.repository}: its server redirects to {one_line(printable(target), 300)}. "
        "Redirects to other servers are not followed; set `source.repository` to its new address.",
    )
