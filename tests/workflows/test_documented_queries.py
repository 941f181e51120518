"""Temporal accepts the queries of docs/temporal.md."""

import re
from pathlib import Path

import pytest

from tests.support.stage import Stage

PAGE = Path(__file__).parents[2] / "docs" / "temporal.md"
QUERIES = re.findall(r"^\| [^|]+ \| `(\w+ .+)` \|$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("query", QUERIES)
async def test_temporal_accepts_a_documented_query(stage: Stage, query: str) -> None:
    found = [one.id async for one in stage.client.list_workflows(query)]

    assert len(QUERIES) >= 8
    assert not [one for one in found if one.startswith("application/")]
