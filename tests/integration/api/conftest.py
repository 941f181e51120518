"""An API of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api_door import Door, open_door
from tests.support.installation import Databases, open_store


@pytest.fixture(scope="session")
async def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    made = Databases(tmp_path_factory.mktemp("databases"))
    await made.prepare()
    return made


@pytest.fixture
async def door(databases: Databases, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_store(databases.new()) as store, open_door(store, tmp_path) as opened:
        yield opened
