"""The files a Python interpreter needs to run one program, found by asking that interpreter.

An image needs a userland, and a machine without a registry has only its own. So the interpreter
that runs this command is asked to load the program and to name every file this took; the ELF loader
is asked for the shared libraries. Together they are all that has to exist, at the same paths.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from aweigh.core.errors import AweighError

# Isolated and without `site`, here as in the container: no environment variable, no user directory
# and no site-packages has a say in what is loaded.
FLAGS = ("-I", "-S", "-B")

# OpenSSL would be a third of the image, and asyncio does without when it cannot be imported.
# Encodings are loaded when first used, which may be after the program was asked. Files are looked
# up by name, since a loaded module may have put another one in its own place (`collections.abc`).
PROBE = """
import sys
sys.modules["ssl"] = None
sys.path.append(sys.argv[1])
__import__(sys.argv[2])
import encodings.ascii, encodings.idna, encodings.latin_1, json, os
sys.path.pop()
files = set()
for name, module in list(sys.modules.items()):
    parent = sys.modules.get(name.rpartition(".")[0])
    if module and ("." not in name or hasattr(parent, "__path__")):
        spec = sys.meta_path[-1].find_spec(name, getattr(parent, "__path__", None))
        files.add(spec and spec.origin)
print(json.dumps({
    "modules": sorted(os.path.abspath(file) for file in files - {None}),
    "directories": [path for path in sys.path if os.path.isdir(path)],
}))
"""
# `libz.so.1 => /lib/libz.so.1 (0x7f…)` for a library, `/lib64/ld-linux.so.2 (0x7f…)` for the ELF
# loader itself.
LIBRARY = re.compile(r"^\s+(?:\S+ => )?(/.+) \(0x[0-9a-f]+\)$", re.MULTILINE)


class InterpreterError(AweighError):
    """The Python interpreter of this machine could not be taken along."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    executable: Path
    modules: tuple[Path, ...]
    """Sources and extension modules of the standard library."""
    libraries: tuple[Path, ...]
    """Shared libraries, and the ELF loader that finds them."""
    directories: tuple[Path, ...]
    """The search path: the interpreter complains when one of these does not exist."""


def find_interpreter(program: Path) -> Interpreter:
    """The interpreter behind this process, with what it takes to run `program` on it."""
    if sys.platform != "linux":
        raise InterpreterError("an image can be made from the Python of a Linux machine only")
    # The base executable, since that of a virtual environment is a link, or a copy without a home.
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    answer = json.loads(_output(executable, *FLAGS, "-c", PROBE, program.parent, program.stem))
    modules = [Path(file) for file in answer["modules"]]
    binaries = [executable, *(file for file in modules if ".so" in file.suffixes)]
    return Interpreter(
        executable=executable,
        modules=tuple(modules),
        libraries=tuple(sorted(set().union(*map(shared_libraries, binaries)))),
        directories=tuple(Path(path) for path in answer["directories"]),
    )


def compile_modules(executable: Path, root: Path) -> None:
    """Put byte code next to the sources under `root`, which stands for `/`.

    The container's user may not write it, so without this every start would compile the library
    anew. Unchecked, because the comparison would be with times that the image does not keep.
    """
    options = ("-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/")
    _output(executable, *FLAGS, "-m", "compileall", *options, root)


def shared_libraries(binary: Path) -> set[Path]:
    """What the loader needs beside a program, itself among it."""
    # A statically linked interpreter makes ldd fail, and needs nothing.
    listing = _output("ldd", binary, may_fail=True)
    missing = re.findall(r"^\s+(\S+) => not found$", listing, re.MULTILINE)
    if missing:
        raise InterpreterError(f"{binary} needs libraries this machine does not have: {missing}")
    # An `$ORIGIN/../lib` in the binary is a `..` in the path. Links are not followed: the paths
    # are those by which the loader will look again.
    return {Path(os.path.normpath(path)) for path in LIBRARY.findall(listing)}


def _output(*command: str | Path, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=not may_fail)
    except subprocess.CalledProcessError as error:
        raise InterpreterError(f"{command[0]} failed: {error.stderr.strip()[-500:]}") from error
    except OSError as error:
        raise InterpreterError(f"{command[0]} cannot be run: {error}") from error
    return done.stdout
