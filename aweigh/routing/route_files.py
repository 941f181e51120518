"""Route files: which release of each application is live on this server.

One file per application, replaced by an atomic rename. Files of routed applications are in a
directory that Traefik watches, those of unrouted ones in another. The highest sequence in both is
the live one.
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
    """The file that makes a generation live, with that generation."""

    path: Path
    generation: Generation

    def is_of(self, release: Release) -> bool:
        """Whether the file makes the containers of this very deployment live."""
        return self.generation.deployment == release.deployment

    @property
    def age(self) -> float:
        """Seconds since the file was written."""
        return time.time() - self.path.stat().st_mtime


class RouteFiles:
    """The route files of a server. Callers hold the application's lock."""

    def __init__(self, directory: Path) -> None:
        self.routed = directory / "routed"
        self.unrouted = directory / "unrouted"
        self._kept = directory / "kept"
        self._temporary = directory / "temporary"

    def prepare(self) -> None:
        for path in (self.routed, self.unrouted, self._kept, self._temporary):
            path.mkdir(parents=True, exist_ok=True)

    def live(self, slug: str) -> RouteFile | None:
        """Return the route file of an application's live generation."""
        found = self.of(slug)
        return max(found, key=lambda file: file.generation.sequence) if found else None

    def of(self, slug: str) -> list[RouteFile]:
        paths = [directory / _file_name(slug) for directory in (self.routed, self.unrouted)]
        return [file for path in paths if (file := _read(path))]

    def all(self) -> list[RouteFile]:
        """Return the route files of all applications' live generations."""
        paths = (*self.routed.glob("*.yml"), *self.unrouted.glob("*.yml"))
        slugs = {path.stem for path in paths if _is_named(path)}
        return [file for slug in sorted(slugs) if (file := self.live(slug))]

    def unreadable(self) -> list[Path]:
        """Return files not written by Aweigh, or changed since: one of them stops all reloads."""
        paths = (*self.routed.iterdir(), *self.unrouted.iterdir())
        return sorted(path for path in paths if _read(path) is None or not _is_named(path))

    def write(self, generation: Generation, text: str, *, routed: bool) -> RouteFile:
        """Make a generation live. The replaced file is kept until `forget_older` or `go_back`.

        A hard link keeps it, so going back needs only a rename, even on a full disk.
        """
        path = (self.routed if routed else self.unrouted) / _file_name(generation.slug)
        before, kept = _read(path), self._kept / path.name
        if before is None:
            kept.unlink(missing_ok=True)  # left by an earlier generation in this directory
        elif before.generation.sequence < generation.sequence:
            kept.unlink(missing_ok=True)
            os.link(path, kept)
            sync_directory(self._kept)  # before the rename: going back must survive a power failure
        write_durably(path, text, self._temporary / path.name, mode=0o644)
        return RouteFile(path, generation)

    def rewrite(self, file: RouteFile, text: str) -> None:
        """Change how a live generation is routed."""
        write_durably(file.path, text, self._temporary / file.path.name, mode=0o644)

    def has_kept(self, file: RouteFile) -> bool:
        """Whether the replaced file still exists, to go back to."""
        return (self._kept / file.path.name).exists()

    def go_back(self, file: RouteFile) -> Generation | None:
        """Make the replaced generation live again, if the file is unchanged, and return it."""
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
        """After a verified switch, remove files of older generations, in either directory."""
        for file in self.of(generation.slug):
            if file.generation.sequence < generation.sequence:
                file.path.unlink()
                sync_directory(file.path.parent)
        (self._kept / _file_name(generation.slug)).unlink(missing_ok=True)

    def discard_unfinished(self, slug: str) -> None:
        """Remove a file whose writer died before its rename."""
        (self._temporary / _file_name(slug)).unlink(missing_ok=True)

    def remove(self, slug: str) -> None:
        for directory in (self.routed, self.unrouted):
            (directory / _file_name(slug)).unlink(missing_ok=True)
            sync_directory(directory)
        (self._kept / _file_name(slug)).unlink(missing_ok=True)


def _file_name(slug: str) -> str:
    """Return the file name; no other code puts a slug into a path. Raises: ValueError."""
    return f"{grammar.path_part(slug, grammar.KNOWN_SLUG)}.yml"


def _is_named(path: Path) -> bool:
    """Whether the file name is that of an application."""
    return path.suffix == ".yml" and grammar.matches(grammar.KNOWN_SLUG, path.stem)


def _read(path: Path) -> RouteFile | None:
    """Return the route file; None if it is missing or invalid: the next write replaces it."""
    try:
        return RouteFile(path, read(path.read_text()))
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
