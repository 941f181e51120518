"""`git http-backend`: git's own CGI program, which serves a directory of repositories."""

import os
import subprocess
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def answer(root: Path, method: str, target: str, headers: Message, body: bytes) -> Answer:
    """Return git's answer to a request for a repository below `root`, which can only be read.

    https://git-scm.com/docs/git-http-backend
    """
    path, _, query = target.partition("?")
    env = {
        "PATH": os.environ.get("PATH", os.defpath), "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": method, "PATH_INFO": path,
        "QUERY_STRING": query, "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    }  # fmt: skip
    output = subprocess.run(  # its exit code is an error's, too, where it answers with one
        ["git", "http-backend"], input=body, env=env, check=False, stdout=subprocess.PIPE
    ).stdout
    head, _, content = output.partition(b"\r\n\r\n")
    given = dict(line.split(": ", 1) for line in head.decode().splitlines())
    status = given.pop("Status", "200" if given else "500")
    return Answer(int(status.split()[0]), given, content)
