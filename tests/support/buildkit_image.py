"""A real rootless BuildKit, for machines where its image cannot be pulled.

The programs are built from their Go modules, `runc` and a shell are this machine's. The image is
laid out like the official one (https://github.com/moby/buildkit/blob/master/docs/rootless.md).
"""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

import docker

from examples.demo.builder.image import QUICK_TO_BUILD
from examples.demo.context import build_image
from examples.demo.image import base_image
from examples.demo.interpreter import shared_libraries
from tests.support.cache import cache_directory

_MODULE = Path(__file__).with_name("buildkit")
#: They take a minute to build, and never change for a version.
PROGRAMS = cache_directory() / "buildkit-0.25.1"
_PACKAGES = (
    "github.com/moby/buildkit/cmd/buildctl",
    "github.com/moby/buildkit/cmd/buildkitd",
    "github.com/rootless-containers/rootlesskit/v2/cmd/rootlesskit",
    "./newidmap",
)
_USER = 1000
_HOME = "home/user"
_RUNTIME = f"run/user/{_USER}"
_DIRECTORIES = (
    _HOME, f"{_HOME}/.local", f"{_HOME}/.local/share", f"{_HOME}/.local/share/buildkit",
    f"{_HOME}/.local/tmp", _RUNTIME,
)  # fmt: skip
_FILES = {
    "etc/subuid": "user:100000:65536\n",
    "etc/subgid": "user:100000:65536\n",
    "etc/passwd": f"root:x:0:0:root:/:/bin/sh\nuser:x:{_USER}:{_USER}::/{_HOME}:/bin/sh\n",
    "etc/group": f"root:x:0:\nuser:x:{_USER}:\n",
}
_CAP_SETGID, _CAP_SETUID = 1 << 6, 1 << 7


def build_programs(directory: Path) -> None:
    """Have BuildKit's programs in `directory`, whole or not at all."""
    if directory.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    begun = directory.with_name(f"{directory.name}.{os.getpid()}")
    subprocess.run(
        ["go", "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", QUICK_TO_BUILD,
         "-o", f"{begun}/", *_PACKAGES],
        cwd=_MODULE,
        env=os.environ | {"CGO_ENABLED": "0"},
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip
    begun.rename(directory)


def buildkit_image(client: docker.DockerClient, repository: str) -> str:
    """Make `repository:buildkit`; return its name."""
    build_programs(PROGRAMS)
    name = f"{repository}:buildkit"
    variables = (
        f"HOME=/{_HOME} USER=user XDG_RUNTIME_DIR=/{_RUNTIME} TMPDIR=/{_HOME}/.local/tmp "
        f"BUILDKIT_HOST=unix:///{_RUNTIME}/buildkit/buildkitd.sock"
    )
    lines = [f"FROM {base_image(client)}", "ADD root.tar /", f"USER {_USER}:{_USER}",
             f"ENV {variables}", 'ENTRYPOINT ["rootlesskit", "buildkitd"]']  # fmt: skip
    build_image(client, name, {"Dockerfile": "\n".join(lines).encode(), "root.tar": _root()})
    return name


def tools_archive(*programs: str) -> bytes:
    """A tar of programs of this machine, with what they need."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_tools(tar, [(f"bin/{name}", name) for name in programs])
    return buffer.getvalue()


def _root() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("buildctl", "buildkitd", "rootlesskit"):
            _add(tar, f"usr/bin/{name}", (PROGRAMS / name).read_bytes())
        for kind, capability in (("uid", _CAP_SETUID), ("gid", _CAP_SETGID)):
            content = (PROGRAMS / "newidmap").read_bytes()
            _add(tar, f"usr/bin/new{kind}map", content, capability)
        tools = [(f"bin/{name}", name) for name in ("sh", "cat", "sleep")]
        _add_tools(tar, [("usr/bin/buildkit-runc", "runc"), *tools])
        for place in _DIRECTORIES:
            entry = tarfile.TarInfo(place)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.uid = entry.gid = _USER
            tar.addfile(entry)
        for place, text in _FILES.items():
            _add(tar, place, text.encode())
    return buffer.getvalue()


def _add_tools(tar: tarfile.TarFile, tools: Iterable[tuple[str, str]]) -> None:
    libraries: set[Path] = set()
    for place, name in tools:
        found = shutil.which(name)
        assert found, f"this machine has no {name}"
        _add(tar, place, Path(found).read_bytes())
        libraries |= shared_libraries(Path(found))
    for library in sorted(libraries):
        _add(tar, str(library).strip("/"), library.read_bytes())


def _add(tar: tarfile.TarFile, place: str, content: bytes, capability: int = 0) -> None:
    entry = tarfile.TarInfo(place)
    entry.size, entry.mode = len(content), 0o755
    if capability:
        # `struct vfs_cap_data` of capabilities(7): effective, and permitted to the file's runner.
        data = b"\x01\x00\x00\x02" + capability.to_bytes(4, "little") + bytes(12)
        attribute = "SCHILY.xattr.security.capability"
        entry.pax_headers = {attribute: data.decode("utf-8", "surrogateescape")}
    tar.addfile(entry, io.BytesIO(content))
