"""The content key: builds with equal keys give the same image, so the second one is skipped."""

import hashlib
import hmac
import json

from aweigh.deployments.source import GitSource
from aweigh.deployments.variable import VALUES


def content_key(secret: bytes, source: GitSource, commit: str, builder_id: str = "") -> str:
    """Return a hash of everything an image is built from.

    `builder_id` is empty for a Dockerfile, which names its base images itself. Secrets are part of
    the hash, so it is keyed with a secret of the server: without that, values could be tried out.
    """
    build = source.build.model_dump(mode="json", context=VALUES, exclude={"limits"})
    parts = {
        "repository": source.repository,
        "commit": commit,
        "subdirectory": source.subdirectory,
        "submodules": source.submodules,
        "lfs": source.lfs,
        "build": build,
        "builder": builder_id,
    }
    text = json.dumps(parts, sort_keys=True).encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()[:32]
