"""The server worker's client for the API."""

from http import HTTPStatus
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from aweigh.contract import (
    BOOT_HEADER,
    IDENTITY_HEADER,
    BranchHead,
    Findings,
    HighestSequence,
    Inventory,
    Lease,
    LogLength,
    PolledApplications,
    PolledBranch,
    PollOutcome,
    Removal,
    Replacement,
    RepositoryToken,
    StepReport,
)
from aweigh.core import grammar
from aweigh.core.errors import (
    Conflict,
    Unavailable,
)
from aweigh.core.tls import trusted
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.release import Release
from aweigh.deployments.step_errors import StepFailed
from aweigh.secrets.known import KnownSecrets

Shape = TypeVar("Shape", bound=BaseModel)


class Api:
    """Calls the API with the worker's token, which gives access to this server's releases only."""

    def __init__(
        self,
        base_url: str,
        token: str,
        identity: str,
        boot: str,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        #: Secrets received from the API, which must not appear in a log.
        self.secrets = KnownSecrets(token)
        self._client = httpx2.AsyncClient(
            transport=transport,
            verify=trusted(),
            base_url=f"{base_url}/v1/worker",
            headers={
                "Authorization": f"Bearer {token}",
                IDENTITY_HEADER: identity,
                BOOT_HEADER: boot,
            },
            timeout=10,
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **options: object) -> httpx2.Response:
        """Send a request. Raises: Unavailable."""
        try:
            answer = await self._client.request(method, path, **options)  # type: ignore[arg-type]
        except httpx2.HTTPError as error:
            raise Unavailable(f"the API does not answer ({type(error).__name__})") from error
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"the API answered {answer.status_code}")
        return answer

    async def lease(self, lease: Lease) -> None:
        """Take or renew the server's name.

        Raises:
            Conflict: another server worker holds it, or the token is for another server.
            Unavailable: the API does not answer.
        """
        _refuse(await self._ask("POST", "/lease", json=lease.model_dump(mode="json")))

    async def release(self, deployment_id: str, run_id: str | None = None) -> Release:
        """Return a deployment's release; with `run_id`, only if that run is the deployment's own.

        Raises:
            StepFailed: it is no longer in flight or live, or continues in another run.
            Conflict
            Unavailable
        """
        params = {} if run_id is None else {"run": run_id}
        answer = await self._ask("GET", f"/releases/{_part(deployment_id)}", params=params)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise StepFailed(Reason.SUPERSEDED, f"{deployment_id} is neither in flight nor live.")
        _refuse(answer)
        release = _read(Release, answer)
        self.secrets.add(deployment_id, release.secrets)
        return release

    async def repository_token(self, deployment_id: str) -> str:
        """Return a token for the repository. Raises: StepFailed (GitHub), Conflict, Unavailable."""
        answer = await self._ask("POST", f"/releases/{_part(deployment_id)}/repository-token")
        if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise StepFailed(
                Reason.REPOSITORY_AUTH,
                f"{_detail(answer)}. Check the App's installation and its repositories.",
            )
        _refuse_ended(answer)
        _refuse(answer)
        token = _read(RepositoryToken, answer).token
        self.secrets.add(f"the token of {deployment_id}", [token])
        return token

    async def report(self, deployment_id: str, step: StepName, report: StepReport) -> None:
        """Report a step. Raises: StepFailed (the deployment has ended), Conflict, Unavailable."""
        path = f"/releases/{_part(deployment_id)}/steps/{step}"
        answer = await self._ask("PUT", path, json=report.model_dump(mode="json"))
        _refuse_ended(answer)
        _refuse(answer)

    async def removal(self, application_id: str, run_id: str) -> Removal:
        """Return the removal that this run of its workflow executes.

        Raises:
            StepFailed: no removal is requested, or the run is not its own.
            Conflict
            Unavailable
        """
        path = f"/removals/{_part(application_id)}"
        answer = await self._ask("GET", path, params={"run": run_id})
        _refuse_ended(answer)
        _refuse(answer)
        return _read(Removal, answer)

    async def found(self, findings: Findings) -> None:
        """Report what is live on this server. Raises: Conflict, Unavailable."""
        _refuse(await self._ask("PUT", "/findings", json=findings.model_dump(mode="json")))

    async def append_log(self, deployment_id: str, offset: int, data: bytes) -> int:
        """Append to a deployment's log; return the log's length.

        Raises:
            StepFailed: the log is closed.
            Conflict
            Unavailable
        """
        answer = await self._ask(
            "PUT", f"/releases/{_part(deployment_id)}/log", params={"offset": offset}, content=data
        )
        _refuse_ended(answer)
        conflict = answer.status_code == HTTPStatus.CONFLICT
        if not (conflict and b'"length"' in answer.content):
            _refuse(answer)
        return _read(LogLength, answer).length

    async def lift(self, deployment_id: str, highest: int) -> str | None:
        """Report that a higher sequence exists on this server than the database may know.

        Return the deployment that replaces this one, if the database did not know it.

        Raises:
            Conflict
            Unavailable
        """
        path = f"/releases/{_part(deployment_id)}/fence"
        answer = await self._ask("PUT", path, json=HighestSequence(highest=highest).model_dump())
        _refuse(answer)
        return _read(Replacement, answer).deployment

    async def polled_applications(self) -> tuple[str, ...]:
        """Return the applications whose branches are polled. Raises: Conflict, Unavailable."""
        answer = await self._ask("GET", "/branches")
        _refuse(answer)
        return _read(PolledApplications, answer).applications

    async def branch(self, application_id: str) -> PolledBranch | None:
        """Return what a poll needs; None if none is due. Raises: Conflict (GitHub), Unavailable."""
        answer = await self._ask("GET", f"/branches/{_part(application_id)}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        _refuse(answer)
        branch = _read(PolledBranch, answer)
        self.secrets.add(application_id, branch.source.secrets)
        return branch

    async def report_head(self, application_id: str, head: BranchHead) -> PollOutcome:
        """Report a head. Raises: Conflict (the application is gone), Unavailable."""
        body = head.model_dump(mode="json")
        answer = await self._ask("PUT", f"/branches/{_part(application_id)}/head", json=body)
        _refuse(answer)
        return _read(PollOutcome, answer)

    async def inventory(self, application_id: str | None = None) -> Inventory:
        """Return what the database expects on this server, or of one application.

        A removed application is included only if it is requested.

        Raises:
            Conflict
            Unavailable
        """
        params = {"application": application_id} if application_id else {}
        answer = await self._ask("GET", "/inventory", params=params)
        _refuse(answer)
        return _read(Inventory, answer)


def _part(text: str) -> str:
    """Return an id that is safe in a URL's path. Raises: StepFailed."""
    try:
        return grammar.path_part(text)
    except ValueError as error:
        raise StepFailed(Reason.INTERNAL, f"{text[:100]!r} is not an id.") from error


def _refuse_ended(answer: httpx2.Response) -> None:
    # A 404 of a proxy in between proves nothing about a deployment.
    unknown = answer.status_code == HTTPStatus.NOT_FOUND and b"urn:aweigh:" in answer.content
    if unknown or answer.status_code == HTTPStatus.GONE:
        raise StepFailed(Reason.CANCELLED, _detail(answer))


def _refuse(answer: httpx2.Response) -> None:
    if not answer.is_success:
        raise Conflict(f"the API rejected the request ({answer.status_code}): {_detail(answer)}")


def _read(kind: type[Shape], answer: httpx2.Response) -> Shape:
    """Parse an answer. Raises: Unavailable: it is not the API's."""
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unavailable(f"the answer is not from Aweigh's API: not a {kind.__name__}") from error


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
