"""Keeps the child processes to what sending a message needs.

Connections go to addresses that may be reached, checked at the moment of connecting; files are only
read, and only those of Python; no program is started. This holds for whatever apprise makes of an
address that a user wrote. It is no sandbox against hostile code, which this process does not run.
"""

import ipaddress
import mimetypes
import os
import resource
import ssl
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import aweigh
from aweigh.core.address_rules import may_reach
from aweigh.core.private_target import PrivateTarget

_PROGRAMS: Final = frozenset({
    "ctypes.dlopen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
    "pty.spawn", "subprocess.Popen", "socket.bind", "syslog.openlog", "syslog.syslog",
})  # fmt: skip
_CHANGES: Final = frozenset({
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir",
    "os.symlink", "os.truncate",
})  # fmt: skip
_CONNECTING: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MEMORY: Final = 1024**3
_CPU_SECONDS: Final = 20
_OPEN_FILES: Final = 64


class Guard:
    """`refused` is the address that a connection was refused to, if there was one."""

    def __init__(self, private: Iterable[PrivateTarget]) -> None:
        self.refused: str | None = None
        self._private = tuple(private)
        self._readable = _readable()

    def install(self) -> None:
        """Guard this process until its end: the hook cannot be removed."""
        for what, most in (
            (resource.RLIMIT_AS, _MEMORY),
            (resource.RLIMIT_CPU, _CPU_SECONDS),
            (resource.RLIMIT_NOFILE, _OPEN_FILES),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(what)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (most, most))
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._check_file(*arguments)
        elif event in _CONNECTING:
            self._check_address(arguments[1])
        elif event in _PROGRAMS or event in _CHANGES:
            raise PermissionError(f"{event} is not allowed here")

    def _check_address(self, address: Any) -> None:
        """Refuse all but addresses that may be reached: also Unix sockets, and names."""
        if address is None:
            return  # of a socket that is connected already
        try:
            literal, port = ipaddress.ip_address(address[0]), int(address[1])
        except (TypeError, ValueError, IndexError):
            self.refused = str(address)
            raise PermissionError("only addresses of the internet may be reached") from None
        if not may_reach(literal, port, self._private):
            self.refused = str(literal)
            raise PermissionError(f"{literal} may not be reached")

    def _check_file(self, path: Any, mode: Any, flags: int) -> None:
        if isinstance(path, int):
            return
        real = Path(os.path.realpath(os.fsdecode(path)))
        if flags & _WRITING or not any(real.is_relative_to(one) for one in self._readable):
            raise PermissionError(f"{path} may not be opened here")


class OfflineGuard(Guard):
    """Also refuses every socket, and the resolving of names."""

    def __init__(self) -> None:
        super().__init__(())

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith("socket."):
            raise PermissionError(f"{event} is not allowed here")
        super()._audit(event, arguments)


def _readable() -> tuple[Path, ...]:
    """Return the places of Python's own files, and those of the machine's certificates."""
    paths = sysconfig.get_paths()
    trusted = ssl.get_default_verify_paths()
    places = [
        *(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *(one for one in (trusted.cafile, trusted.capath, trusted.openssl_capath) if one),
        *aweigh.__path__, *mimetypes.knownfiles, "/etc/ssl", "/etc/localtime", "/etc/timezone",
        "/usr/share/zoneinfo",
    ]  # fmt: skip
    return tuple({Path(os.path.realpath(one)) for one in places})
