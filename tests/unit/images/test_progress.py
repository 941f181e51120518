"""How far a pull is, told by the events of a real one."""

import pytest

from aweigh.images.images import PullProgress

LAYER, OTHER = "0123456789ab", "ba9876543210"


def told(*events: dict[str, object]) -> str:
    progress = PullProgress()
    for event in events:
        progress.take(event)
    return str(progress)


def downloading(layer: str, current: int) -> dict[str, object]:
    detail = {"current": current, "total": 5_000_000}
    return {"id": layer, "status": "Downloading", "progressDetail": detail}


def test_a_pull_begins_with_nothing() -> None:
    assert told() == "0 of 0 layers, 0.0 MB"


def test_the_first_event_names_the_tag_and_no_layer() -> None:
    assert told({"id": "v1", "status": "Pulling from acme/shop"}) == "0 of 0 layers, 0.0 MB"


def test_layers_are_counted_as_they_are_done() -> None:
    events: list[dict[str, object]] = [
        {"id": LAYER, "status": "Pulling fs layer"},
        {"id": OTHER, "status": "Waiting"},
        downloading(LAYER, 1_500_000),
        downloading(LAYER, 3_000_000),
        {"id": LAYER, "status": "Pull complete"},
        downloading(OTHER, 250_000),
    ]

    assert told(*events) == "1 of 2 layers, 5.2 MB"
    assert told(*events, {"id": OTHER, "status": "Already exists"}) == "2 of 2 layers, 5.2 MB"


@pytest.mark.parametrize(
    "status", ["Verifying Checksum", "Download complete", "Extracting", "Pull complete"]
)
def test_the_last_bytes_are_not_told_but_come(status: str) -> None:
    told_in_full = told(downloading(LAYER, 4_400_000), {"id": LAYER, "status": status})

    assert told_in_full.endswith("of 1 layers, 5.0 MB")


def test_a_layer_that_came_while_nobody_looked_has_a_size() -> None:
    extracting = downloading(LAYER, 100_000) | {"status": "Extracting"}

    assert told(extracting) == "0 of 1 layers, 5.0 MB"


@pytest.mark.parametrize(
    "event",
    [{}, {"status": "Digest: sha256:0"}, {"id": LAYER, "status": "Downloading"},
     {"id": LAYER, "status": "Downloading", "progressDetail": {}},
     {"id": LAYER, "status": "Downloading", "progressDetail": None}],
    ids=range(5),
)  # fmt: skip
def test_an_event_without_figures_is_no_crash(event: dict[str, object]) -> None:
    assert told(event).endswith("layers, 0.0 MB")
