"""Images of the sample application, made without a registry and without a network.

The base image is this machine's own Python, imported as one layer. The images of the versions are
derived from it and add nothing but configuration, so a version costs a moment and no space.
"""

from __future__ import annotations

import functools
import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import docker
import docker.errors

from examples.demo.context import build_image
from examples.demo.interpreter import FLAGS, Interpreter, compile_modules, find_interpreter

APPLICATION = Path(__file__).with_name("application.py")
#: For images that belong to no installation: those of tests and benchmarks.
BASE_REPOSITORY = "aweigh-demo"
# A stable name for the interpreter, whose own path depends on the machine.
PYTHON = "/usr/local/bin/python"
NOBODY = 65534
PASSWD = f"root:x:0:0:root:/:/sbin/nologin\nnobody:x:{NOBODY}:{NOBODY}:nobody:/:/sbin/nologin\n"
GROUP = f"root:x:0:\nnogroup:x:{NOBODY}:\n"


def make_image(
    client: docker.DockerClient,
    *,
    repository: str,
    tag: str,
    base: str = BASE_REPOSITORY,
    environment: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
    ports: Sequence[int] = (8000,),
    instructions: Sequence[str] = (),
) -> str:
    """Make `repository:tag`, which runs the sample application with `environment`; return its id.

    `instructions` are further lines for its Dockerfile, `base` is the repository of the image it
    is derived from. The same arguments give the same image.
    """
    dockerfile = [f"FROM {base_image(client, base)}"]
    dockerfile += [f"ENV {_pairs(environment)}"] if environment else []
    dockerfile += [f"LABEL {_pairs(labels)}"] if labels else []
    dockerfile += [f"EXPOSE {port}" for port in ports]
    dockerfile += instructions
    files = {"Dockerfile": "\n".join(dockerfile).encode()}
    return str(build_image(client, f"{repository}:{tag}", files).id)


def base_image(client: docker.DockerClient, repository: str = BASE_REPOSITORY) -> str:
    """The name of the base image, imported first unless the engine has it already."""
    interpreter = _interpreter()
    tag = f"base-{_digest(interpreter)}"
    name = f"{repository}:{tag}"
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        client.api.import_image_from_data(
            layer(interpreter), repository=repository, tag=tag, changes=_base_changes()
        )
    return name


def layer(interpreter: Interpreter) -> bytes:
    """The base image's file system as a tar that depends on nothing but what is in it."""
    with tempfile.TemporaryDirectory(prefix="aweigh-demo-") as directory:
        root = Path(directory)
        _stage(interpreter, root)
        compile_modules(interpreter.executable, root)
        return _tar(root)


@functools.cache
def _interpreter() -> Interpreter:
    return find_interpreter(APPLICATION)


@functools.cache
def _digest(interpreter: Interpreter) -> str:
    """Of what goes in, not of the tar, so that finding the base made already takes no compiler."""
    digest = hashlib.sha256(repr((interpreter, _base_changes())).encode())
    recipe = (Path(__file__), Path(__file__).with_name("interpreter.py"), APPLICATION)
    for file in (*recipe, *_files(interpreter)):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _files(interpreter: Interpreter) -> Iterator[Path]:
    yield interpreter.executable
    yield from interpreter.modules
    yield from interpreter.libraries


def _base_changes() -> list[str]:
    command = ", ".join(f'"{word}"' for word in (PYTHON, *FLAGS, "/app/application.py"))
    return [f"ENTRYPOINT [{command}]", f"USER {NOBODY}", "WORKDIR /app"]


def _stage(interpreter: Interpreter, root: Path) -> None:
    for file in _files(interpreter):
        _copy(file, root)
    for directory in interpreter.directories:
        _inside(root, directory).mkdir(parents=True, exist_ok=True)
    _link(root, Path(PYTHON), interpreter.executable)
    for library in interpreter.libraries:
        if library.name.startswith("libc."):
            _link_beside(library.parent, interpreter.libraries, root)
    _write(root, "app/application.py", APPLICATION.read_text())
    _write(root, "etc/passwd", PASSWD)
    _write(root, "etc/group", GROUP)
    (root / "tmp").mkdir(exist_ok=True)


def _link_beside(directory: Path, libraries: Sequence[Path], root: Path) -> None:
    """Link libraries into the C library's directory, where the loader looks in any case.

    On this machine it may have found one elsewhere only through its cache, which stays behind.
    """
    for library in libraries:
        _link(root, directory / library.name, library)


def _copy(file: Path, root: Path) -> None:
    target = _inside(root, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    target.chmod(0o755 if file.stat().st_mode & 0o111 else 0o644)


def _link(root: Path, link: Path, target: Path) -> None:
    path = _inside(root, link)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.symlink_to(target)


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _inside(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _tar(root: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, str(path.relative_to(root)), recursive=False, filter=_anonymous)
    return buffer.getvalue()


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owner and time, which would make every layer a new one."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    if entry.isdir():
        entry.mode = 0o1777 if entry.name == "tmp" else 0o755
    elif entry.isfile():
        entry.mode = 0o755 if entry.mode & 0o111 else 0o644
    return entry


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={_quoted(value)}" for key, value in values.items())


def _quoted(value: str) -> str:
    """As a Dockerfile wants it, where a dollar would be an expansion."""
    for special in ("\\", '"', "$"):
        value = value.replace(special, "\\" + special)
    return f'"{value}"'
