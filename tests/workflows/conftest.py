"""A real Temporal server for the workflows, and a stage for each test."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.support.stage import Stage, Theatre, start_temporal, theatre


@pytest.fixture(scope="package")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with await start_temporal() as started:
        yield started


@pytest.fixture(scope="package")
async def house(environment: WorkflowEnvironment) -> AsyncIterator[Theatre]:
    async with theatre(environment.client) as opened:
        yield opened


@pytest.fixture
async def stage(house: Theatre) -> AsyncIterator[Stage]:
    async with house.stage() as opened:
        yield opened
