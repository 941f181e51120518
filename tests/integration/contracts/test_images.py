"""What images and registries do, by the same assertions on the real ones and on their fake."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from aweigh.core.errors import PullStopped
from aweigh.core.platform import Platform
from aweigh.deployments.deployment import Reason
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import Registry as Credentials
from aweigh.deployments.step_errors import (
    StepError,
    StepFailed,
    StepUnavailable,
)
from aweigh.engine.engine import Engine
from aweigh.images.facts import ImageFacts
from aweigh.images.images import Images, PullProgress
from aweigh.testing.images import FakeImages, Published
from tests.support.artefacts import push_image, push_index
from tests.support.ports import free_ports
from tests.support.registry import PASSWORD, USER, forget_images, running_registries

SOCKET = "unix:///var/run/docker.sock"
ARM = Platform("linux", "arm64")
CREDENTIALS = Credentials.model_validate({"username": USER, "password": PASSWORD})


@dataclass
class Subject:
    """An engine's images, one storage that two registries serve, and a way to push to it."""

    images: Images
    open: str
    locked: str
    silent: str
    #: Pushes an image as repository and tag; of what runs elsewhere only, if so; its digest.
    push: Callable[[str, str, bool], str]

    def reference(self, repository: str, tag: str, host: str = "") -> ImageReference:
        return ImageReference(repository=f"{host or self.open}/{repository}", tag=tag)


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.docker)])
def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    if request.param == "fake":
        yield _fake()
    else:
        directory = tmp_path_factory.mktemp("registry")
        yield from _real(request.getfixturevalue("engine"), directory)


def _fake() -> Subject:
    images = FakeImages()
    made = Subject(images, "open.test:5000", "locked.test:5000", "silent.test:5000", _no_push)
    images.broken[made.silent] = "dial tcp: connect: connection refused"

    def push(repository: str, tag: str, foreign: bool) -> str:
        name = secrets.token_hex(8)
        digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
        platforms = (ARM,) if foreign else ()
        for host, credentials in ((made.open, None), (made.locked, CREDENTIALS)):
            images.registries[f"{host}/{repository}:{tag}"] = Published(
                facts=ImageFacts(id=f"sha256:{name}"), digest=digest, platforms=platforms,
                registry=credentials,
            )  # fmt: skip
        return digest

    made.push = push
    return made


def _no_push(repository: str, tag: str, foreign: bool) -> str:
    raise NotImplementedError


def _real(client: docker.DockerClient, directory: Path) -> Iterator[Subject]:
    with running_registries(directory / "storage") as (registry, locked):

        def push(repository: str, tag: str, foreign: bool) -> str:
            if not foreign:
                return registry.push(client, repository, tag, layer_bytes=1000)
            platform = {"os": ARM.os, "architecture": ARM.architecture}
            arm = push_image(registry, repository, "arm", platform)
            return push_index(registry, repository, tag, arm)

        silent = f"127.0.0.1:{free_ports(1)[0]}"
        images = Images(Engine(SOCKET))
        yield Subject(images, registry.host, locked.host, silent, push)
        forget_images(client, registry.host, locked.host)


async def test_image_is_pulled_by_its_digest_with_progress(subject: Subject) -> None:
    digest = subject.push("shop", "v1", False)
    seen: list[str] = []

    def watch(progress: PullProgress) -> bool:
        seen.append(str(progress))
        return True

    reference = subject.reference("shop", "v1").at(digest)
    assert await subject.images.find(str(reference)) is None
    await subject.images.pull(reference, None, watch)

    found = await subject.images.find(str(reference))
    assert found
    assert (found.digests, found.tags) == ((str(reference),), ())
    layers = seen[-1].split(" ")[2]
    assert seen[-1].startswith(f"{layers} of {layers} layers, ")
    assert await subject.images.find(found.id) == found


async def test_image_that_is_pulled_by_its_tag_has_it(subject: Subject) -> None:
    digest = subject.push("tagged", "v1", False)
    reference = subject.reference("tagged", "v1")

    await subject.images.pull(reference, None)

    found = await subject.images.find(str(reference))
    assert found
    assert found.tags == (str(reference),)
    assert found.digest_in(reference) == digest


async def test_registry_says_what_a_tag_stands_for_now(subject: Subject) -> None:
    reference = subject.reference("moved", "v1")
    for _ in range(2):
        digest = subject.push("moved", "v1", False)

        assert (await subject.images.look_up(reference, None)).digest == digest
    assert await subject.images.find(str(reference)) is None


async def refusals(
    subject: Subject, reference: ImageReference, credentials: Credentials | None = None
) -> list[StepError]:
    """What a question and a pull fail with."""
    failures = []
    for call in (
        subject.images.look_up(reference, credentials),
        subject.images.pull(reference, credentials),
    ):
        with pytest.raises(StepError) as failure:
            await call
        failures.append(failure.value)
    return failures


async def test_tag_that_is_not_there_is_not_found(subject: Subject) -> None:
    subject.push("shop", "v1", False)

    for failure in await refusals(subject, subject.reference("shop", "v0")):
        assert isinstance(failure, StepFailed)
        assert failure.reason is Reason.IMAGE_NOT_FOUND


async def test_private_image_needs_its_credentials(subject: Subject) -> None:
    digest = subject.push("private", "v1", False)
    reference = subject.reference("private", "v1", subject.locked)
    wrong = Credentials.model_validate({"username": USER, "password": "wrong"})

    for given in (None, wrong):
        for failure in await refusals(subject, reference, given):
            assert isinstance(failure, StepFailed)
            assert failure.reason is Reason.REGISTRY_AUTH
    await subject.images.pull(reference.at(digest), CREDENTIALS)

    assert (await subject.images.look_up(reference, CREDENTIALS)).digest == digest
    assert await subject.images.find(str(reference.at(digest)))


async def test_registry_that_is_away_may_come_back(subject: Subject) -> None:
    for failure in await refusals(subject, subject.reference("shop", "v1", subject.silent)):
        assert isinstance(failure, StepUnavailable)
        assert failure.reason is Reason.REGISTRY_UNAVAILABLE


async def test_watcher_stops_a_pull(subject: Subject) -> None:
    digest = subject.push("stopped", "v1", False)

    with pytest.raises(PullStopped):
        await subject.images.pull(
            subject.reference("stopped", "v1").at(digest), None, lambda progress: False
        )


async def test_image_for_another_platform_is_pulled_only_by_name(subject: Subject) -> None:
    digest = subject.push("foreign", "v1", True)
    reference = subject.reference("foreign", "v1")
    by_digest = reference.at(digest)

    assert (await subject.images.look_up(reference, None)).platforms == (ARM,)
    with pytest.raises(StepFailed) as failure:
        await subject.images.pull(by_digest, None, asked=reference)
    assert failure.value.reason is Reason.IMAGE_UNSUPPORTED
    assert str(reference) in failure.value.message
    await subject.images.pull(by_digest, None, platform=ARM)

    found = await subject.images.find(str(by_digest))
    assert found
    assert found.platform == ARM


async def test_image_goes_with_its_last_name(subject: Subject) -> None:
    digest = subject.push("named", "v1", False)
    reference = subject.reference("named", "v1").at(digest)
    await subject.images.pull(reference, None)
    found = await subject.images.find(str(reference))
    assert found
    repository = f"{subject.open}/ours"

    for tag in ("1", "2", "1"):
        await subject.images.tag(found.id, f"{repository}:{tag}")
    both = await subject.images.tags(repository)
    await subject.images.untag(str(reference))
    for tag in ("1", "1", "0"):
        await subject.images.untag(f"{repository}:{tag}")

    assert both == {"1": found.id, "2": found.id}
    assert await subject.images.tags(repository) == {"2": found.id}
    assert f"{repository}:2" in await subject.images.names()
    await subject.images.untag(f"{repository}:2")
    assert await subject.images.find(found.id) is None
    with pytest.raises(StepUnavailable) as failure:
        await subject.images.tag(found.id, f"{repository}:3")
    assert failure.value.reason is Reason.IMAGE_NOT_FOUND


async def test_tag_moves_to_the_image_that_gets_it_last(subject: Subject) -> None:
    ids = []
    for _ in range(2):
        digest = subject.push("moving", "v1", False)
        reference = subject.reference("moving", "v1").at(digest)
        await subject.images.pull(reference, None)
        found = await subject.images.find(str(reference))
        assert found
        ids.append(found.id)
        await subject.images.tag(found.id, f"{subject.open}/moving-ours:1")

    assert ids[0] != ids[1]
    assert await subject.images.tags(f"{subject.open}/moving-ours") == {"1": ids[1]}
