"""An image's archive gets one name, whatever it says of itself."""

import io
import json
import tarfile
from typing import Any

import pytest

from aweigh.builds.dockerfile.image_archive import NoImage, image_within
from examples.demo.context import tar_of

CONFIG, LAYER = (f"blobs/sha256/{digit * 64}" for digit in "ce")
MANIFEST = [{"Config": CONFIG, "Layers": [LAYER], "RepoTags": ["evil/a:1"]}]


def copied(manifest: Any) -> list[bytes]:
    """As the engine copies the file out of a container, in chunks of an odd size."""
    files = {
        CONFIG: b"{}", LAYER: b"x" * 2_000_000, "index.json": b"names",
        "blobs/sha256/../../../etc/cron.d/evil": b"evil", f"{LAYER}/../x": b"evil",
        "manifest.json": json.dumps(manifest).encode(), "oci-layout": b"", "repositories": b"evil",
    }  # fmt: skip
    whole = tar_of({"image.tar": tar_of(files).getvalue()}).getvalue()
    return [whole[at : at + 4093] for at in range(0, len(whole), 4093)]


def content_of(tar: tarfile.TarFile, name: str) -> bytes:
    found = tar.extractfile(name)
    assert found is not None
    return found.read()


def test_only_content_and_one_name_come_through() -> None:
    archive = b"".join(image_within(copied(MANIFEST), "aweigh/shop:built-x"))

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
        manifest = json.loads(content_of(tar, "manifest.json"))
        layer = content_of(tar, LAYER)
    assert names == [CONFIG, LAYER, "manifest.json"]
    assert manifest == [{**MANIFEST[0], "RepoTags": ["aweigh/shop:built-x"]}]
    assert layer == b"x" * 2_000_000


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b"no tar"],
        [tar_of({"image.tar": b"no tar"})],
        copied([]),
        copied([*MANIFEST, *MANIFEST]),
        copied({"Config": "x"}),
        copied(["text"]),
    ],
)
def test_what_is_no_image_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(NoImage):
        b"".join(image_within(chunks, "a:b"))
