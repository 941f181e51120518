"""GitHub's REST API: tokens of an App's installations, and commit statuses.

https://docs.github.com/en/rest
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import jwt

from aweigh.core.errors import RateLimited, Refused, Unavailable
from aweigh.core.text import one_line
from aweigh.core.tls import trusted
from aweigh.deployments.repository import AppInstallation, Credentials, Token
from aweigh.github.commit_page import home_of
from aweigh.github.commit_status import CommitStatus
from aweigh.secrets.value import mask

#: The permissions of a token: only those that its use requires.
READ: Final[Mapping[str, str]] = {"contents": "read"}
WRITE_STATUS: Final[Mapping[str, str]] = {"statuses": "write"}

_SECONDS: Final = 10.0
#: GitHub accepts a JWT of at most ten minutes, and its clock may be behind.
_JWT_SECONDS: Final = 540
_CLOCK_SECONDS: Final = 60
#: A token must outlive the fetch it is made for.
_FRESH_SECONDS: Final = 300
#: The pause that GitHub asks for if a rate limit names no time.
_PAUSE_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class App:
    """A GitHub App: its installations give access to repositories without a user's password."""

    id: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)


class GitHub:
    def __init__(
        self,
        api_url: str,
        app: App | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.app = app
        self._client = httpx2.AsyncClient(
            base_url=api_url,
            transport=transport,
            verify=trusted(as_environment_says=True),
            timeout=_SECONDS,
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
            follow_redirects=False,
        )
        self._home = home_of(api_url)
        self._tokens: dict[tuple[int, str, str], tuple[str, float]] = {}

    async def close(self) -> None:
        await self._client.aclose()

    def is_home_of(self, repository: str) -> bool:
        """Whether the repository is on this host, so that its credentials may be sent to it."""
        url = urlsplit(repository)
        return url.hostname == self._home and url.path.count("/") == 2

    async def token(
        self, credentials: Credentials, repository: str, permissions: Mapping[str, str]
    ) -> str:
        """Return a token for a repository by these credentials.

        Raises:
            Refused: the credentials give none, or the App is not installed there.
            Unavailable: GitHub does not answer, or limits the rate of calls.
        """
        if isinstance(credentials, Token):
            return credentials.secret
        if not isinstance(credentials, AppInstallation):
            raise Refused("a deploy key gives access by git only, not by the API")
        if not self.is_home_of(repository):  # the token would be sent to another server
            raise Refused(f"{repository} is not on the GitHub host of this installation's App")
        key = (credentials.installation, repository, repr(permissions))
        known, expires = self._tokens.get(key, ("", 0.0))
        if time.time() > expires - _FRESH_SECONDS:
            known, expires = await self._new_token(credentials, repository, permissions)
            self._tokens[key] = (known, expires)
        return known

    async def _new_token(
        self, credentials: AppInstallation, repository: str, permissions: Mapping[str, str]
    ) -> tuple[str, float]:
        name = _owner_and_name(repository).partition("/")[2]
        answer = await self._ask(
            "POST",
            f"/app/installations/{credentials.installation}/access_tokens",
            f"a token for {repository}",
            self._jwt(),
            {"repositories": [name], "permissions": dict(permissions)},
        )
        return str(answer["token"]), datetime.fromisoformat(answer["expires_at"]).timestamp()

    def _jwt(self) -> str:
        if self.app is None:
            raise Refused("this installation has no GitHub App; set AWEIGH_GITHUB_APP_ID")
        now = int(time.time())
        claims = {"iat": now - _CLOCK_SECONDS, "exp": now + _JWT_SECONDS, "iss": self.app.id}
        return jwt.encode(claims, self.app.private_key, algorithm="RS256")

    async def set_status(
        self, credentials: Credentials, repository: str, commit: str, status: CommitStatus
    ) -> None:
        """Set the status of a commit.

        Raises:
            Refused: the credentials do not allow it, or GitHub does not know the commit.
            Unavailable: GitHub does not answer, or limits the rate of calls.
        """
        token = await self.token(credentials, repository, WRITE_STATUS)
        path = f"/repos/{_owner_and_name(repository)}/statuses/{commit}"
        await self._ask("POST", path, f"the status of {commit[:12]}", token, asdict(status))

    async def _ask(
        self, method: str, path: str, what: str, token: str, body: Mapping[str, Any]
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = await self._client.request(method, path, headers=headers, json=body)
        except httpx2.HTTPError as error:
            raise Unavailable(f"GitHub does not answer ({type(error).__name__})") from error
        if (pause := _rate_limit_pause(answer)) is not None:
            raise RateLimited(f"GitHub rate limit reached for {what}", pause)
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"GitHub answered {answer.status_code}")
        if not answer.is_success:
            why = mask(_message(answer), [token])
            raise Refused(f"GitHub refuses {what} ({answer.status_code}): {why}")
        return answer.json()


def _rate_limit_pause(answer: httpx2.Response) -> float | None:
    """Return the seconds until GitHub may be called again; None if no rate limit was reached.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if answer.status_code not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    if (seconds := answer.headers.get("Retry-After", "")).isdigit():
        return float(seconds)
    if answer.headers.get("X-RateLimit-Remaining") == "0":
        reset = answer.headers.get("X-RateLimit-Reset", "")
        return max(float(reset) - time.time(), 1.0) if reset.isdigit() else _PAUSE_SECONDS
    return _PAUSE_SECONDS if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS else None


def _owner_and_name(repository: str) -> str:
    return urlsplit(repository).path.strip("/").removesuffix(".git")


def _message(answer: httpx2.Response) -> str:
    try:
        return one_line(str(answer.json()["message"]), 200)
    except (ValueError, KeyError, TypeError):
        return "no reason given"
