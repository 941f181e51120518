"""A real ssh server on loopback, for one key and nothing but reading repositories."""

import getpass
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.registry import listens

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host
AuthorizedKeysFile {root}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
"""
#: Whoever has the key may read, and be told where the large files are.
_COMMAND = """\
#!/bin/sh
test -e "{root}/says" && cat "{root}/says" >&2
case "$SSH_ORIGINAL_COMMAND" in
git-upload-pack*) exec git-shell -c "$SSH_ORIGINAL_COMMAND" ;;
git-lfs-authenticate*) cat "{root}/lfs.json" ;;
esac
"""


@dataclass(frozen=True)
class SshServer:
    root: Path
    port: int

    def url(self, repository: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"

    @property
    def key(self) -> str:
        """The private key that may read."""
        return (self.root / "user").read_text()

    @contextmanager
    def saying(self, text: str) -> Iterator[None]:
        """Meanwhile it prints this beside every answer."""
        (self.root / "says").write_text(text)
        yield
        (self.root / "says").unlink()

    @property
    def known_hosts(self) -> str:
        """The server's key, as `ssh-keyscan` writes it."""
        return f"[127.0.0.1]:{self.port} {(self.root / 'host.pub').read_text()}"


@contextmanager
def ssh_server(root: Path) -> Iterator[SshServer]:
    """It lives in `root`, and is nobody's service."""
    [port] = free_ports(1)
    for name in ("host", "user"):
        new_key(root / name)
    command = root / "command"
    command.write_text(_COMMAND.format(root=root))
    command.chmod(0o700)
    allowed = f'command="{command}",restrict {(root / "user.pub").read_text()}'
    (root / "authorized_keys").write_text(allowed)
    (root / "config").write_text(_CONFIG.format(root=root, port=port))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it drops its privileges
    words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(root / "config")]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        while not listens("127.0.0.1", port):
            assert process.poll() is None, (root / "log").read_text()
        yield SshServer(root, port)
    finally:
        process.terminate()
        process.wait()


def new_key(place: Path) -> str:
    """The private key; the public one is beside it."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place)]
    subprocess.run(words, check=True)
    return place.read_text()
