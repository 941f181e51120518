"""What each activity takes from its payload, and that a forged one is refused untouched.

Whoever reaches Temporal can ask a worker for any of its activities, with any payload: in a workflow
of their own, or in none.
"""

from pathlib import Path
from typing import cast

import httpx2
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from aweigh.store.database import Store
from tests.support.forged import (
    HARMLESS,
    ON_CONTROL,
    ON_SERVERS,
    api,
    on_control,
    on_servers,
)


def test_every_activity_says_what_it_takes_from_its_payload(tmp_path: Path) -> None:
    registered = on_servers(api([]), tmp_path)
    registered |= on_control(cast(Store, None))

    assert set(registered) == {*ON_SERVERS, *ON_CONTROL, *HARMLESS}


@pytest.mark.parametrize("name", ON_SERVERS)
async def test_a_server_worker_refuses_what_no_workflow_of_ours_asks_for(
    tmp_path: Path, name: str
) -> None:
    for payload in ON_SERVERS[name].payloads:
        asked = list[httpx2.Request]()
        forged = on_servers(api(asked), tmp_path)[name]

        with pytest.raises(ApplicationError) as refused:
            await ActivityEnvironment().run(forged, payload)

        assert refused.value.non_retryable  # an engine that was asked would have made it retryable
        assert list(tmp_path.iterdir()) == []
        assert {request.url.params.get("run") for request in asked} <= {"test-run", None}
        assert all(request.url.path.startswith("/v1/worker/") for request in asked)
        assert not any(".." in request.url.path for request in asked)
