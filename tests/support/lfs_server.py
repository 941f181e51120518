"""The side of Git LFS that a server has: the batch API, and the objects.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_BATCH = re.compile(r"/.+\.git/info/lfs/objects/batch")
_OBJECT = re.compile(r"/lfs/([0-9a-f]{64})")
_MEDIA_TYPE = "application/vnd.git-lfs+json"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class LfsServer:
    objects: dict[str, bytes] = field(default_factory=dict)
    #: Where downloads are said to be; empty: here.
    elsewhere: str = ""
    #: What the requests for them are said to carry.
    header: Any = None

    def add(self, content: bytes) -> str:
        """Keep an object; the pointer that stands for it in a repository."""
        oid = hashlib.sha256(content).hexdigest()
        self.objects[oid] = content
        version = "https://git-lfs.github.com/spec/v1"
        return f"version {version}\noid sha256:{oid}\nsize {len(content)}\n"

    def answer(self, base: str, path: str, body: bytes) -> Answer | None:
        """The answer to a request of Git LFS; None where it is none."""
        if _BATCH.fullmatch(path):
            asked = json.loads(body)["objects"]
            said = {"transfer": "basic", "objects": [self._action(base, one) for one in asked]}
            return Answer(200, json.dumps(said).encode(), {"Content-Type": _MEDIA_TYPE})
        if match := _OBJECT.fullmatch(path):
            return Answer(200, self.objects[match[1]])
        return None

    def _action(self, base: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        if asked["oid"] not in self.objects:
            return {**asked, "error": {"code": 404, "message": "Object does not exist"}}
        href = f"{self.elsewhere or base}/lfs/{asked['oid']}"
        return {**asked, "actions": {"download": {"href": href, "header": self.header}}}
