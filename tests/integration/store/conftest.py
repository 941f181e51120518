"""Every test of the store runs on both databases."""

from collections.abc import AsyncIterator, Iterator

import pytest

from aweigh.store.database import Store
from tests.support.installation import Databases, open_store
from tests.support.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
async def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    databases = Databases(tmp_path_factory.mktemp("databases"))
    await databases.prepare()
    return databases


@pytest.fixture(scope="session")
async def postgres_databases(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Databases:
    databases = Databases(tmp_path_factory.mktemp("unused"), postgres)
    await databases.prepare()
    return databases


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    name = "sqlite_databases" if request.param == "sqlite" else "postgres_databases"
    found: Databases = request.getfixturevalue(name)
    return found


@pytest.fixture
def url(databases: Databases) -> str:
    """A new and migrated database."""
    return databases.new()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with open_store(url) as opened:
        yield opened
