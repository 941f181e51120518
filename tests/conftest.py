"""What every test may ask for."""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import docker
import hypothesis
import pytest
import structlog

from aweigh.core.stalls import StallDetector
from tests.support import stack_logs, stalls
from tests.support.scheduling import Scheduling, in_order

# The machine may be slow, and a failure must be the same one for everybody.
for _profile, _examples in {"short": 40, "long": 400}.items():
    hypothesis.settings.register_profile(
        _profile, deadline=None, derandomize=True, max_examples=_examples
    )

# With Rich installed, structlog would render each logged error for a third of a second.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the full products of the proofs")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("long" if config.getoption("--long") else "short")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=in_order)
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="only with --long"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += stack_logs.take()
    return report


@pytest.fixture(scope="session", autouse=True)
async def _detecting_stalls() -> AsyncIterator[None]:
    detector = StallDetector(stalls.seen.append, stalls.is_allowed_here)
    detector.start()
    yield
    detector.stop()


@pytest.fixture(autouse=True)
def _no_stalls() -> Iterator[None]:
    """An event loop that stood still fails the test during which it did."""
    yield
    found = stalls.take()
    assert found == [], "\n".join(map(str, found))


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The machine's Docker engine."""
    client = docker.DockerClient(base_url="unix:///var/run/docker.sock", version="auto")
    yield client
    client.close()
