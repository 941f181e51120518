"""What registries hold beside images for this machine, as their tools leave it there."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

from tests.support.registry import Registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
#: The head of a program for aarch64.
FOREIGN_PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100)


def blob(registry: Registry, repository: str, data: bytes) -> dict[str, Any]:
    """A blob that is there now, as a manifest names it."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    headers, _ = registry.call("POST", f"/v2/{repository}/blobs/uploads/")
    place = headers["Location"].split(registry.host, 1)[1]
    registry.call("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", data)
    return {"digest": digest, "size": len(data)}


def program_archive(program: bytes = FOREIGN_PROGRAM) -> bytes:
    """A layer with one program, `/program`."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("program")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    return archive.getvalue()


def push_image(
    registry: Registry, repository: str, tag: str, platform: dict[str, str], *, docker: bool = False
) -> dict[str, Any]:
    """An image of one platform; as an index names it."""
    layer = program_archive()
    config = {
        **platform,
        "config": {"Entrypoint": ["/program"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
        },
    }
    kinds = (_DOCKER, _DOCKER_CONFIG, _DOCKER_LAYER) if docker else (MANIFEST, CONFIG, _LAYER)
    digest = push_artefact(
        registry, repository, tag, kinds[1:], json.dumps(config).encode(),
        gzip.compress(layer, mtime=0), media_type=kinds[0],
    )  # fmt: skip
    _, body = registry.call("GET", f"/v2/{repository}/manifests/{tag}", accept=kinds[0])
    return {"mediaType": kinds[0], "digest": digest, "size": len(body), "platform": platform}


def push_artefact(
    registry: Registry,
    repository: str,
    tag: str,
    kinds: tuple[str, ...],
    config: bytes = b"{}",
    data: bytes = b"data",
    *,
    media_type: str = MANIFEST,
) -> str:
    """A manifest with a config and one layer of these media types; its digest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": kinds[0], **blob(registry, repository, config)},
        "layers": [{"mediaType": kinds[1], **blob(registry, repository, data)}],
    }
    return registry.put_manifest(repository, tag, manifest, media_type)


def push_index(registry: Registry, repository: str, tag: str, *images: dict[str, Any]) -> str:
    """An index of images; its digest."""
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(images)}
    return registry.put_manifest(repository, tag, index, INDEX)


#: The config that signatures and SBOMs are pushed with: it looks like an image's.
ATTACHED = json.dumps(
    {
        "architecture": "", "os": "", "config": {},
        "rootfs": {
            "type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(b'data').hexdigest()}"]
        },
    }
).encode()  # fmt: skip
