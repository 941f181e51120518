"""Histories of earlier versions, some of them still in progress, replay with today's code."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.support.histories import DIRECTORY, STORIES, record
from tests.support.stage import Theatre
from worker.control import WORKFLOWS, sandbox

HISTORIES = sorted(DIRECTORY.glob("*.json"))


def test_there_are_histories_of_every_end() -> None:
    names = {path.stem for path in HISTORIES}

    assert names >= {"succeeded", "failed", "superseded", "cancelled", "reset", "in-progress"}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=sandbox())
    history = WorkflowHistory.from_json("recorded", path.read_text())

    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)

    assert result.replay_failure is None


async def test_recording_a_story_writes_its_histories_and_no_others(
    house: Theatre, tmp_path: Path
) -> None:
    other = tmp_path / "succeeded.json"
    other.write_text("recorded earlier")

    await record(house, [STORIES["built"]], tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"built.json", "succeeded.json"}
    assert other.read_text() == "recorded earlier"
