"""The content key: the same key stands for the same image, which is then not built again."""

import hashlib
import hmac
import json

from aweigh.deployments.source import GitSource
from aweigh.deployments.variable import VALUES


def content_key(secret: bytes, source: GitSource, commit: str, builder_id: str = "") -> str:
    """A key of everything an image is made of; a Dockerfile names itself what it is built on.

    Secrets are part of it, so it is keyed with a secret of the server's: nobody can try values.
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
