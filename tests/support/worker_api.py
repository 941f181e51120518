"""The API as a server worker sees it, with an absence and losses of its own making."""

from dataclasses import dataclass, field
from http import HTTPStatus

import httpx2

from aweigh.contract import IDENTITY_HEADER, StepReport
from aweigh.deployments.release import Release
from aweigh.secrets.value import REVEAL
from aweigh.servers.api_client import Api


@dataclass
class WorkerApi:
    """Keeps what it is told; a transport of httpx2 stands for the network before it."""

    logs: dict[str, bytearray] = field(default_factory=dict)
    steps: dict[tuple[str, str], StepReport] = field(default_factory=dict)
    #: What it gives out, by deployment.
    releases: dict[str, Release] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    away: bool = False
    #: How many of the next answers are lost on their way, after what was asked for was done.
    lost_answers: int = 0
    requests: list[httpx2.Request] = field(default_factory=list)

    def client(self) -> Api:
        transport = httpx2.MockTransport(self._network)
        return Api("http://127.0.0.1:8700", "awg_token", "identity-1", "boot-1", transport)

    def text(self, deployment_id: str) -> str:
        return bytes(self.logs.get(deployment_id, b"")).decode()

    def _network(self, request: httpx2.Request) -> httpx2.Response:
        if self.away:
            raise httpx2.ConnectError("nobody listens")
        self.requests.append(request)
        assert request.headers["Authorization"] == "Bearer awg_token"
        assert request.headers[IDENTITY_HEADER] == "identity-1"
        answer = self._answer(request)
        if self.lost_answers:
            self.lost_answers -= 1
            raise httpx2.ReadError("the connection was cut")
        return answer

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        _, _, _, _, deployment_id, *parts = request.url.path.split("/")
        if deployment_id in self.refused:
            return httpx2.Response(HTTPStatus.CONFLICT, json={"detail": "held by another"})
        if not parts:
            return self._release(deployment_id)
        part, *name = parts
        if part == "steps":
            return self._report(deployment_id, name[0], request)
        return self._append(deployment_id, int(request.url.params["offset"]), request.content)

    def _release(self, deployment_id: str) -> httpx2.Response:
        release = self.releases.get(deployment_id)
        if release is None:
            return httpx2.Response(HTTPStatus.NOT_FOUND)
        return httpx2.Response(HTTPStatus.OK, text=release.model_dump_json(context=REVEAL))

    def _report(self, deployment_id: str, name: str, request: httpx2.Request) -> httpx2.Response:
        if deployment_id in self.ended:
            return httpx2.Response(HTTPStatus.GONE, json={"detail": "it has ended"})
        self.steps[deployment_id, name] = StepReport.model_validate_json(request.content)
        return httpx2.Response(HTTPStatus.OK, json={})

    def _append(self, deployment_id: str, offset: int, data: bytes) -> httpx2.Response:
        log = self.logs.setdefault(deployment_id, bytearray())
        taken = offset == len(log)
        if taken:
            log += data
        status = HTTPStatus.OK if taken or not data else HTTPStatus.CONFLICT
        return httpx2.Response(status, json={"length": len(log)})
