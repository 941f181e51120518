"""A small builder image: the real lifecycle, and a few buildpacks.

For machines where no builder can be pulled: the lifecycle is built from its Go module, and both the
build and the run image stand on a base image that is there already.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker

from examples.demo.context import build_image

LIFECYCLE_VERSION: Final = "0.20.8"
BUILDPACKS: Final = Path(__file__).with_name("buildpacks")
_MODULE: Final = Path(__file__).parent
_PROGRAMS: Final = ("lifecycle", "launcher")
PHASES: Final = ("analyzer", "detector", "restorer", "builder", "exporter", "creator")
_USER: Final = 1000
_HOME: Final = "home/cnb"
_ROOT: Final = "root:x:0:0:root:/:/sbin/nologin\n"
#: From the `lifecycle.toml` of lifecycle 0.20.8.
_APIS: Final = {
    "buildpack": {"deprecated": [], "supported": ["0.7", "0.8", "0.9", "0.10", "0.11"]},
    "platform": {
        "deprecated": [],
        "supported": ["0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14"],
    },
}


#: For the compiler. Programs that mostly wait need no inlining, and `-s -w` drops debug symbols
#: anyway: without both, two processors compile for 43 s instead of 64.
QUICK_TO_BUILD: Final = "-gcflags=all=-l -dwarf=false"


def has_lifecycle(directory: Path) -> bool:
    return all((directory / program).exists() for program in _PROGRAMS)


def build_lifecycle(directory: Path, go: str = "go", caches: Path | None = None) -> None:
    """Build the lifecycle's two programs into `directory`, unless they are there.

    `caches`: where Go keeps more than a gigabyte of modules; its usual directories by default.

    Raises:
        CalledProcessError: Go is too old or cannot download the module; see its `stderr`.
    """
    if has_lifecycle(directory):
        return
    directory.mkdir(parents=True, exist_ok=True)
    module = "github.com/buildpacks/lifecycle/cmd"
    flags = f"-s -w -X {module}.Version={LIFECYCLE_VERSION}"
    own = {"GOMODCACHE": f"{caches}/modules", "GOCACHE": f"{caches}/build"} if caches else {}
    subprocess.run(
        [go, "build", "-mod=readonly", "-modcacherw", "-trimpath", "-ldflags", flags,
         QUICK_TO_BUILD, "-o", f"{directory}/", *(f"{module}/{program}" for program in _PROGRAMS)],
        cwd=_MODULE,
        env=os.environ | own | {"CGO_ENABLED": "0"},
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Buildpack:
    """A directory with `buildpack.toml`, `bin/detect` and `bin/build`."""

    id: str
    version: str
    directory: Path


PROCFILE: Final = Buildpack(
    id="aweigh/procfile", version="0.1.0", directory=BUILDPACKS / "procfile"
)


def make_builder(
    client: docker.DockerClient,
    *,
    repository: str,
    base: str,
    lifecycle: Path,
    groups: Iterable[tuple[Buildpack, ...]],
    phases: Iterable[str] = PHASES,
) -> str:
    """Make `repository:builder` and the run image beside it; return the builder's name.

    `groups` are tried in order; the first whose buildpacks all detect something builds. `phases`:
    the phases that its lifecycle has.
    """
    run_image, builder = f"{repository}:run", f"{repository}:builder"
    order = tuple(groups)
    _build(client, run_image, [f"FROM {base}", "ENTRYPOINT []", f"USER {_USER}", *_labels({})], {})
    lines = [
        f"FROM {base}",
        "ENTRYPOINT []",
        f"ENV CNB_USER_ID={_USER} CNB_GROUP_ID={_USER}",
        "ADD cnb.tar /",
        f"USER {_USER}",
        *_labels(_builder_labels(run_image, order)),
    ]
    _build(client, builder, lines, {"cnb.tar": _cnb(lifecycle, run_image, order, phases)})
    return builder


def make_lifecycle_image(client: docker.DockerClient, *, name: str, lifecycle: Path) -> str:
    """Make an image of the lifecycle alone, as buildpacksio/lifecycle is; return its name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_lifecycle(tar, lifecycle)
        _directory(tar, "tmp", 0, mode=0o1777)
        _file(tar, "etc/passwd", _ROOT)  # platforms ask for it by its name
    label = f"LABEL io.buildpacks.lifecycle.apis={json.dumps(json.dumps(_APIS))}"
    _build(client, name, ["FROM scratch", "ADD cnb.tar /", label], {"cnb.tar": buffer.getvalue()})
    return name


def _labels(labels: dict[str, object]) -> list[str]:
    known = {
        "io.buildpacks.base.distro.name": "debian",
        "io.buildpacks.base.distro.version": "12",
        "io.buildpacks.stack.id": "aweigh",
    }
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in labels.items()
    }
    return [f"LABEL {key}={json.dumps(text)}" for key, text in (known | texts).items()]


def _builder_labels(run_image: str, order: tuple[tuple[Buildpack, ...], ...]) -> dict[str, object]:
    return {
        "io.buildpacks.builder.metadata": {
            "description": "A small builder",
            "buildpacks": [
                {"id": one.id, "version": one.version} for group in order for one in group
            ],
            "images": [{"image": run_image}],
            "stack": {"runImage": {"image": run_image}},
            "lifecycle": {"version": LIFECYCLE_VERSION, "apis": _APIS},
        },
        "io.buildpacks.buildpack.order": [
            {"group": [{"id": one.id, "version": one.version} for one in group]} for group in order
        ],
    }


def _cnb(
    lifecycle: Path,
    run_image: str,
    order: tuple[tuple[Buildpack, ...], ...],
    phases: Iterable[str],
) -> bytes:
    """A tar of the builder's `/cnb`, and of the directories that the phases work in."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in ("layers", "workspace", "platform", "platform/env"):
            _directory(tar, directory, _USER)
        _add_lifecycle(tar, lifecycle, phases)
        _directory(tar, _HOME, _USER)
        _file(tar, "etc/passwd", f"{_ROOT}cnb:x:{_USER}:{_USER}::/{_HOME}:/sbin/nologin\n")
        _file(tar, "cnb/order.toml", "".join(map(_group_toml, order)))
        _file(tar, "cnb/run.toml", f'[[images]]\nimage = "{run_image}"\n')
        _file(tar, "cnb/stack.toml", f'[run-image]\nimage = "{run_image}"\n')
        for one in {one for group in order for one in group}:
            place = f"cnb/buildpacks/{one.id.replace('/', '_')}/{one.version}"
            tar.add(one.directory, place, filter=_plain)
    return buffer.getvalue()


def _add_lifecycle(tar: tarfile.TarFile, lifecycle: Path, phases: Iterable[str] = PHASES) -> None:
    for program in _PROGRAMS:
        tar.add(lifecycle / program, f"cnb/lifecycle/{program}", filter=_plain)
    for phase in phases:
        link = tarfile.TarInfo(f"cnb/lifecycle/{phase}")
        link.type, link.linkname = tarfile.SYMTYPE, "lifecycle"
        tar.addfile(link)
    _file(tar, "cnb/lifecycle/lifecycle.toml", _lifecycle_toml())


def _lifecycle_toml() -> str:
    apis = "".join(
        f"[apis.{kind}]\nsupported = {json.dumps(versions['supported'])}\n"
        for kind, versions in _APIS.items()
    )
    return f'{apis}[lifecycle]\nversion = "{LIFECYCLE_VERSION}"\n'


def _group_toml(group: tuple[Buildpack, ...]) -> str:
    entries = "".join(
        f'[[order.group]]\nid = "{one.id}"\nversion = "{one.version}"\n' for one in group
    )
    return f"[[order]]\n{entries}"


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _directory(tar: tarfile.TarFile, name: str, owner: int, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    entry.uid = entry.gid = owner
    tar.addfile(entry)


def _file(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def _build(
    client: docker.DockerClient, name: str, lines: list[str], files: dict[str, bytes]
) -> None:
    build_image(client, name, {"Dockerfile": "\n".join(lines).encode(), **files})
