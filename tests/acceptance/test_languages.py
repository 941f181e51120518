"""A Python and a Node application, by buildpacks that install what they name."""

from collections.abc import Iterator

import docker
import pytest

from tests.support.building import Builds
from tests.support.images import temporary_repository
from tests.support.languages import language_builder
from tests.support.outside import ask
from tests.support.samples import FAREWELL, SAMPLES

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def languages(engine: docker.DockerClient) -> Iterator[str]:
    with temporary_repository(engine) as repository:
        yield language_builder(engine, repository)


@pytest.mark.parametrize("language", ["python", pytest.param("node", marks=pytest.mark.long)])
async def test_pushes_go_live_the_second_by_the_cache_and_a_broken_third_not_at_all(
    builds: Builds, languages: str, language: str
) -> None:
    # The application has its name as a variable, so it is masked: no word of what is printed.
    sample, stack, name = SAMPLES[language], builds.stack, f"written-in-{language}"
    first = builds.git.push(name, sample.files)
    source = builds.source(name, builder=languages)
    app = await builds.follow(name, source=source, stop_grace=1)

    live = await builds.pushed(app, first)
    assert live["state"] == "succeeded", await stack.log(live["id"])
    answered = (await ask(stack, f"{name}.localhost")).text
    second = builds.git.push(name, sample.second)
    cached = await builds.pushed(app, second, first)
    third = builds.git.push(name, sample.broken)
    broken = await builds.pushed(app, third, second)

    log, again = await stack.log(live["id"]), await stack.log(cached["id"])
    assert answered.startswith("hello from ")
    assert answered.endswith(" 1")
    assert sample.installs in log
    assert f'Restoring data for "{sample.layer}" from cache' in again
    assert f"Reusing layer '{sample.layer}'" in again
    assert sample.reuses in again
    assert sample.installs not in again
    assert (broken["state"], broken["reason"]) == ("failed", "build_failed")
    assert FAREWELL in await stack.log(broken["id"])  # the new package, not the one in the cache
    assert (await ask(stack, f"{name}.localhost")).text == answered.replace("1", "2")
