"""Route files: which release of each application is live on this server.

One file per application, replaced by one atomic rename. Files of routed applications lie in a
directory that Traefik watches; those of unrouted ones in another, which it does not read. Live is
the highest sequence over both.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from aweigh.core import grammar
from aweigh.core.files import sync_directory, write_durably
from aweigh.deployments.release import Release
from aweigh.routing.route import Generation, read


@dataclass(frozen=True)
class RouteFile:
    """The file that makes a generation live, and the generation that it names."""

    path: Path
    generation: Generation

    def is_of(self, release: Release) -> bool:
        """Whether it makes the containers of this very deployment live."""
        return self.generation.deployment == release.deployment

    @property
    def age(self) -> float:
        """Seconds since the file was written."""
        return time.time() - self.path.stat().st_mtime


class RouteFiles:
    """Called under the application's lock."""

    def __init__(self, directory: Path) -> None:
        self.routed = directory / "routed"
        self.unrouted = directory / "unrouted"
        self._kept = directory / "kept"
        self._temporary = directory / "temporary"

    def prepare(self) -> None:
        for path in (self.routed, self.unrouted, self._kept, self._temporary):
            path.mkdir(parents=True, exist_ok=True)

    def live(self, slug: str) -> RouteFile | None:
        """The live generation of an application."""
        found = self.of(slug)
        return max(found, key=lambda file: file.generation.sequence) if found else None

    def of(self, slug: str) -> list[RouteFile]:
        paths = [directory / _file_name(slug) for directory in (self.routed, self.unrouted)]
        return [file for path in paths if (file := _read(path))]

    def all(self) -> list[RouteFile]:
        """The live generation of every application."""
        paths = (*self.routed.glob("*.yml"), *self.unrouted.glob("*.yml"))
        slugs = {path.stem for path in paths if _is_named(path)}
        return [file for slug in sorted(slugs) if (file := self.live(slug))]

    def unreadable(self) -> list[Path]:
        """Files that Aweigh did not write, or that somebody changed: one stops every reload."""
        paths = (*self.routed.iterdir(), *self.unrouted.iterdir())
        return sorted(path for path in paths if _read(path) is None or not _is_named(path))

    def write(self, generation: Generation, text: str, *, routed: bool) -> RouteFile:
        """Make a generation live. The file it replaces is kept until `forget` or `go_back`.

        A hard link keeps it: going back then needs a rename only, also on a full disk.
        """
        path = (self.routed if routed else self.unrouted) / _file_name(generation.slug)
        before, kept = _read(path), self._kept / path.name
        if before is None:
            kept.unlink(missing_ok=True)  # what it replaced in the other directory is not ours
        elif before.generation.sequence < generation.sequence:
            kept.unlink(missing_ok=True)
            os.link(path, kept)
            sync_directory(self._kept)  # before the rename: going back must survive a power cut
        write_durably(path, text, self._temporary / path.name, mode=0o644)
        return RouteFile(path, generation)

    def rewrite(self, file: RouteFile, text: str) -> None:
        """Change how a live generation is routed; which one is live stays as it is."""
        write_durably(file.path, text, self._temporary / file.path.name, mode=0o644)

    def has_kept(self, file: RouteFile) -> bool:
        """Whether the file that this one replaced is still there to go back to."""
        return (self._kept / file.path.name).exists()

    def go_back(self, file: RouteFile) -> Generation | None:
        """Make the generation live again that this file replaced, if the file still stands."""
        if _read(file.path) != file:
            return None
        kept = self._kept / file.path.name
        before = _read(kept)
        if before and before.generation.application == file.generation.application:
            kept.replace(file.path)
        else:
            file.path.unlink()
        sync_directory(file.path.parent)
        return before.generation if before else None

    def forget_older(self, generation: Generation) -> None:
        """After a verified switch: one that changed its directory loses the lower file."""
        for file in self.of(generation.slug):
            if file.generation.sequence < generation.sequence:
                file.path.unlink()
                sync_directory(file.path.parent)
        (self._kept / _file_name(generation.slug)).unlink(missing_ok=True)

    def discard_unfinished(self, slug: str) -> None:
        """A file whose writer died before it could rename it."""
        (self._temporary / _file_name(slug)).unlink(missing_ok=True)

    def remove(self, slug: str) -> None:
        for directory in (self.routed, self.unrouted):
            (directory / _file_name(slug)).unlink(missing_ok=True)
            sync_directory(directory)
        (self._kept / _file_name(slug)).unlink(missing_ok=True)


def _file_name(slug: str) -> str:
    """The one place where a slug becomes part of a path. Raises: ValueError."""
    return f"{grammar.path_part(slug, grammar.KNOWN_SLUG)}.yml"


def _is_named(path: Path) -> bool:
    """Whether the file is called after an application."""
    return path.suffix == ".yml" and grammar.matches(grammar.KNOWN_SLUG, path.stem)


def _read(path: Path) -> RouteFile | None:
    """None where there is no file, or none of ours: whoever route_files next writes it anew."""
    try:
        return RouteFile(path, read(path.read_text()))
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
