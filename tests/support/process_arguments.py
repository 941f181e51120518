"""The command lines of every process of this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Watch(threading.Thread):
    """Reads every process's arguments again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.005):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(entry.read_bytes().decode(errors="replace"))
                except OSError:
                    continue  # it has ended meanwhile


@contextmanager
def watched_arguments() -> Iterator[set[str]]:
    """Everything that stood in one while the block ran."""
    watch = _Watch()
    watch.start()
    try:
        yield watch.seen
    finally:
        watch.over.set()
        watch.join()
