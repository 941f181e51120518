"""What is stored of an error that leaves an activity: masked, whoever raised it."""

import base64
import json
import re
import textwrap
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.errors import application_error
from activities.inputs import ReconcileInput, RemovalInput, StepInput
from activities.reconcile import ReconcileActivity
from activities.remove_application import RemoveApplicationActivity
from activities.step import Steps
from aweigh.core.errors import AweighError
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.release import Image, Release
from aweigh.deployments.step_errors import StepFailed
from aweigh.images.pull_errors import pull_error
from aweigh.secrets.known import KnownSecrets
from aweigh.servers.journal import Journal
from tests.support.installation import settings_of
from tests.support.worker_api import WorkerApi

#: Longer than a line of base64.
PASSWORD = "".join(f"{number}-key-" for number in range(20))
PAIR = f"ci:{PASSWORD}".encode()
IMAGE = ImageReference.parse("registry.example/shop:v1")
SAID = StepFailed(Reason.START_FAILED, f"the engine says {PASSWORD}")


class Refusing:
    """An API, or a server, of which everything that is asked ends in an error."""

    def __init__(self, error: Exception) -> None:
        self.secrets = KnownSecrets(PASSWORD)
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [SAID, AweighError(f"it is {PASSWORD}"), KeyError(PASSWORD)])
async def test_what_keeps_the_reconciler_or_a_removal_is_stored_masked(error: Exception) -> None:
    refusing: Any = Refusing(error)
    reconciliation = ReconcileActivity(refusing, refusing)
    removal = RemoveApplicationActivity(refusing, refusing, refusing)

    calls: list[tuple[Callable[[Any], Coroutine[Any, Any, object]], object]] = [
        (reconciliation.reconcile, ReconcileInput("local")),
        (removal.remove_application, RemovalInput("app_1")),
    ]
    for doing, given in calls:
        with pytest.raises(ApplicationError) as stored:
            await ActivityEnvironment().run(doing, given)

        assert PASSWORD not in str(stored.value)
        assert "**********" in str(stored.value)


async def test_a_steps_secrets_are_known_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = WorkerApi().client()
    release = Release(
        deployment="dep_1", application="app_1", slug="shop", server="local", sequence=1,
        image=Image(reference="a"), settings=settings_of(env={"TOKEN": PASSWORD}),
    )  # fmt: skip

    async def read(deployment_id: str, run_id: str) -> Release:
        return release

    monkeypatch.setattr(api, "release", read)
    unused: Any = None
    steps = Steps(api, Journal(tmp_path, api), unused, unused)

    async def run() -> None:
        async with steps.open(StepName.CREATE, StepInput("dep_1", "app_1", 1)) as step:
            step.secrets += ["fetched-for-it"]
            for number in range(1000):
                api.secrets.add(f"dep_{number}", [f"another-{number}"])

            assert {PASSWORD, "fetched-for-it"} <= set(api.secrets.all())

    await ActivityEnvironment().run(run)

    assert {PASSWORD, "fetched-for-it"} & set(api.secrets.all()) == set()


def test_what_a_registry_gave_the_engine_is_not_repeated() -> None:
    """No setting holds it, so that no list of secrets would hide it."""
    token = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJyIn0.c2lnbmF0dXJlLXRoYXQtaXM"
    address = f"https://cdn.example/blobs/sha256/00?X-Amz-Signature={token}"
    words = (
        f'denied: {{"errors": [{{"message": "Authorization: Bearer {token}"}}]}}; Get "{address}"'
    )

    message = application_error(pull_error(words, IMAGE), "pull", []).message

    assert token not in message
    assert "Bearer **********" in message
    assert "https://cdn.example/blobs/sha256/00?**********" in message


@pytest.mark.parametrize(
    "words",
    [
        json.dumps(
            {"errors": [{"message": f"Authorization: Basic {base64.encodebytes(PAIR).decode()}"}]}
        ),
        f"denied: Basic {base64.encodebytes(PAIR).decode()}",
        f"denied: {textwrap.fill(PAIR.hex(), 60)}",
        f"{'no ' * 180} Basic {base64.encodebytes(PAIR).decode()}",
    ],
)
def test_a_password_that_a_registry_wraps_is_hidden(words: str) -> None:
    """Also where the message ends within it."""
    message = application_error(pull_error(words, IMAGE), "pull", [PASSWORD]).message

    assert re.findall(r"[0-9A-Za-z]{9,}", message.partition(": ")[2].partition(". What")[0]) in (
        [], ["Authorization"],
    )  # fmt: skip
    assert "**********" in message
