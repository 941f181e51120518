"""The image of a release: found on the server or pulled, pinned, and refused with a reason."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aweigh.core.errors import PullStopped
from aweigh.core.platform import Platform
from aweigh.deployments.deployment import Reason, StepName
from aweigh.deployments.release import Image, Release
from aweigh.deployments.source import Registry
from aweigh.deployments.step_errors import (
    ImageGone,
    StepFailed,
)
from aweigh.images.facts import ImageFacts
from aweigh.servers.running_step import RunningStep
from aweigh.testing.images import Published
from tests.support.fake_parts import OWN, FakeParts
from tests.support.installation import IMAGE

OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
ARM = Platform("linux", "arm64")
CREDENTIALS = {"username": "ci", "password": "correct-horse-battery"}


def publish(parts: FakeParts, tag: str, digest: str = NEW, **fields: Any) -> None:
    """Have an image in the registry under that tag."""
    facts = ImageFacts(id=f"sha256:image-{digest[-1]}", platform=OWN)
    parts.images.registries[f"{IMAGE}:{tag}"] = Published(facts=facts, digest=digest, **fields)


def release(
    parts: FakeParts, *, image_id: str | None = None, digest: str | None = None, **source: Any
) -> Release:
    """A release of the tag v1, pinned if it names an image."""
    image = Image(reference=f"{IMAGE}:v1", id=image_id, digest=digest)
    return parts.release(1, source=source).model_copy(update={"image": image})


async def ensured(parts: FakeParts, wanted: Release) -> RunningStep:
    step = parts.step(wanted, StepName.PULL)
    await parts.source_images.ensure(step)
    return step


async def refusal(parts: FakeParts, wanted: Release) -> StepFailed:
    with pytest.raises(StepFailed) as failure:
        await ensured(parts, wanted)
    return failure.value


async def has_pulled(parts: FakeParts) -> bool:
    """Whether an image is on the server that this installation pulled."""
    return any(map(parts.installation.names.is_pulled, await parts.images.names()))


async def test_tag_is_pulled_and_pinned_by_what_it_is(parts: FakeParts) -> None:
    publish(parts, "v1", layers=("0123456789ab", "0123456789ac"))

    step = await ensured(parts, release(parts))

    pinned = Image(reference=f"{IMAGE}:v1", id="sha256:image-2", digest=NEW)
    assert step.release.image == pinned
    assert parts.known.steps["dep_1", "pull"].image == pinned
    assert await parts.images.tags("aweigh/shop") == {"1": "sha256:image-2"}
    assert await has_pulled(parts)
    assert step.detail == "2 of 2 layers, 2.0 MB, 0 MB unpacked"


async def test_image_that_an_earlier_attempt_pulled_is_not_asked_for_again(
    parts: FakeParts,
) -> None:
    publish(parts, "v1")
    step = await ensured(parts, release(parts))
    parts.images.registries.clear()

    again = await ensured(parts, step.release)

    assert again.detail == f"{IMAGE}:v1 is already there"


async def test_pinned_image_is_kept_though_its_tag_has_moved_on(parts: FakeParts) -> None:
    publish(parts, "v1", NEW)
    parts.images.add_facts(ImageFacts(id="sha256:image-1", platform=OWN))

    step = await ensured(parts, release(parts, image_id="sha256:image-1", digest=OLD))

    assert step.release.image.id == "sha256:image-1"
    assert not await has_pulled(parts)


async def test_pinned_image_that_is_gone_is_pulled_by_its_digest(parts: FakeParts) -> None:
    publish(parts, "v1", NEW)
    publish(parts, "former", OLD)

    step = await ensured(parts, release(parts, image_id="sha256:image-1", digest=OLD))

    assert (step.release.image.id, step.release.image.digest) == ("sha256:image-1", OLD)
    assert await has_pulled(parts)


@pytest.mark.parametrize(
    ("digest", "pull", "why"),
    [(None, "always", "its digest in a registry is unknown"), (OLD, "never", "policy is `never`")],
)
async def test_pinned_image_that_cannot_be_pulled_again_is_not_found(
    parts: FakeParts, digest: str | None, pull: str, why: str
) -> None:
    publish(parts, "v1", OLD)

    failure = await refusal(
        parts, release(parts, image_id="sha256:image-1", digest=digest, pull=pull)
    )

    assert failure.reason is Reason.IMAGE_NOT_FOUND
    assert why in failure.message


@pytest.mark.parametrize(
    ("pull", "used"),
    [("if_missing", "sha256:image-1"), ("never", "sha256:image-1"), ("always", "sha256:image-2")],
)
async def test_pull_policy_chooses_between_the_server_and_the_registry(
    parts: FakeParts, pull: str, used: str
) -> None:
    publish(parts, "v1", NEW)
    parts.images.add_facts(ImageFacts(id="sha256:image-1", tags=(f"{IMAGE}:v1",), platform=OWN))

    step = await ensured(parts, release(parts, pull=pull))

    assert step.release.image.id == used


async def test_image_that_is_not_here_and_never_pulled_is_not_found(parts: FakeParts) -> None:
    publish(parts, "v1")

    failure = await refusal(parts, release(parts, pull="never"))

    assert failure.reason is Reason.IMAGE_NOT_FOUND
    assert not await parts.images.names()


async def test_image_that_somebody_else_pulled_before_stays_theirs(parts: FakeParts) -> None:
    publish(parts, "v1", NEW)
    theirs = f"mirror.example.com/shop@{NEW}"
    parts.images.add_facts(ImageFacts(id="sha256:image-2", digests=(theirs,), platform=OWN))

    await ensured(parts, release(parts, pull="always"))

    assert not await has_pulled(parts)


async def test_image_for_another_platform_is_refused_before_it_is_pulled(
    parts: FakeParts,
) -> None:
    publish(parts, "v1", platforms=(ARM,))

    failure = await refusal(parts, release(parts))

    assert failure.reason is Reason.IMAGE_UNSUPPORTED
    assert "is for linux/arm64; server local is linux/amd64" in failure.message
    assert await parts.images.find("sha256:image-2") is None


async def test_image_that_the_server_emulates_is_pulled_for_that_platform(
    parts: FakeParts,
) -> None:
    parts.facts = replace(parts.facts, platforms=replace(parts.facts.platforms, emulated=(ARM,)))
    publish(parts, "v1", platforms=(ARM,))

    step = await ensured(parts, release(parts))

    found = await parts.images.find(step.release.image.id or "")
    assert found
    assert found.platform == ARM


@pytest.mark.parametrize(
    ("given", "opens"),
    [(None, False), ({**CREDENTIALS, "password": "wrong-horse"}, False), (CREDENTIALS, True)],
    ids=["none", "wrong", "right"],
)
async def test_private_image_is_pulled_with_the_right_credentials_only(
    parts: FakeParts, given: dict[str, str] | None, opens: bool
) -> None:
    publish(parts, "v1", registry=Registry.model_validate(CREDENTIALS))
    wanted = release(parts, registry=given)

    if not opens:
        assert (await refusal(parts, wanted)).reason is Reason.REGISTRY_AUTH
    else:
        await ensured(parts, wanted)
    assert await has_pulled(parts) is opens


async def test_pull_does_not_begin_on_a_disk_below_its_reserve(tmp_path: Path) -> None:
    parts = FakeParts(tmp_path / "full", disk_reserve_bytes=2**60)
    publish(parts, "v1")

    failure = await refusal(parts, release(parts))

    assert failure.reason is Reason.DISK_FULL
    assert await parts.images.find("sha256:image-2") is None


async def test_pull_stops_before_it_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = FakeParts(tmp_path / "filling", disk_reserve_bytes=10)
    publish(parts, "v1")
    free = iter([100])  # enough when it begins

    def usage(_: Path) -> Any:
        return SimpleNamespace(total=1000, free=next(free, 5))

    monkeypatch.setattr(shutil, "disk_usage", usage)

    failure = await refusal(parts, release(parts))

    assert failure.reason is Reason.DISK_FULL
    assert await parts.images.find("sha256:image-2") is None


async def test_pull_stops_when_its_step_is_cancelled(parts: FakeParts) -> None:
    publish(parts, "v1")
    step = parts.step(release(parts), StepName.PULL)
    step.attempt = replace(step.attempt, is_cancelled=lambda: True)

    with pytest.raises(PullStopped):
        await parts.source_images.ensure(step)

    assert await parts.images.find("sha256:image-2") is None


async def test_image_that_lost_our_tag_gets_it_again(parts: FakeParts) -> None:
    wanted = release(parts, image_id="sha256:image-1")
    parts.images.add_facts(ImageFacts(id="sha256:image-1"))

    found = await parts.release_images.present(wanted)

    assert found.id == "sha256:image-1"
    assert await parts.images.tags("aweigh/shop") == {"1": "sha256:image-1"}


async def test_image_of_another_release_under_our_tag_is_not_taken_for_it(
    parts: FakeParts,
) -> None:
    parts.images.add_facts(ImageFacts(id="sha256:image-2", tags=("aweigh/shop:1",)))

    with pytest.raises(ImageGone):
        await parts.release_images.present(release(parts, image_id="sha256:image-1"))
