"""An API of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aweigh.store.database import Store
from tests.support.api_caller import Caller, open_api
from tests.support.installation import Databases, open_store
from tests.support.temporal import FakeTemporal


@pytest.fixture(scope="session")
async def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    made = Databases(tmp_path_factory.mktemp("databases"))
    await made.prepare()
    return made


@pytest.fixture
async def store(databases: Databases) -> AsyncIterator[Store]:
    async with open_store(databases.new()) as opened:
        yield opened


@pytest.fixture
def temporal() -> FakeTemporal:
    return FakeTemporal()


@pytest.fixture
async def caller(databases: Databases, tmp_path: Path) -> AsyncIterator[Caller]:
    async with open_store(databases.new()) as store, open_api(store, tmp_path) as opened:
        yield opened
