"""The names of everything Aweigh makes on an engine, derived so that a repeated step finds them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: What can stand in an engine's name as it is, so that no two of them are given the same one.
_PLAIN_TARGET: Final = re.compile(r"[A-Za-z0-9./-]{1,100}")
#: The lock of what all applications of a server share: the proxy.
SERVER_LOCK: Final = "server"
#: The lock of handing out addresses; held for a moment only.
ADDRESS_LOCK: Final = "addresses"


@dataclass(frozen=True)
class Names:
    """Names under one prefix; two installations on an engine differ in it.

    A prefix holds no dash, dot or underscore and a slug no dot or underscore, so each name can be
    split in one way only: no two things share a name, whatever their owners are called.
    """

    prefix: str

    @property
    def bridge(self) -> str:
        """The network that marks the prefix and the addresses as this installation's."""
        return self.prefix

    @property
    def proxy(self) -> str:
        return f"{self.prefix}-proxy"

    def container(self, slug: str, sequence: int, replica: int) -> str:
        return f"{self.prefix}-{slug}-{sequence}-{replica}"

    def release_container(self, slug: str, sequence: int) -> str:
        return f"{self.prefix}-{slug}-{sequence}-release"

    # A dot cannot occur in a prefix, so these are nobody else's names.

    def build(self, slug: str, sequence: int, phase: str) -> str:
        return f"{self.prefix}.build-{slug}-{sequence}-{phase}"

    def build_volume(self, slug: str, sequence: int, what: str) -> str:
        return f"{self.prefix}.build-{slug}-{sequence}-{what}"

    def cache(self, slug: str, what: str) -> str:
        return f"{self.prefix}.cache-{slug}-{what}"

    @property
    def build_network(self) -> str:
        return f"{self.prefix}.build"

    def application_network(self, slug: str) -> str:
        """The network on which the proxy reaches one application."""
        return f"{self.prefix}.application-{slug}"

    def is_application_network(self, name: str) -> bool:
        return name.startswith(self.application_network(""))

    def own_address(self, addresses: Mapping[str, str]) -> str:
        """Where the proxy reaches a container: its address on its application's network, or none.

        `addresses`: the container's, by the name of the network.
        """
        return next((addresses[one] for one in addresses if self.is_application_network(one)), "")

    # The kernel takes names of 15 characters. One beginning is common to all networks that
    # applications are in, so that one rule of the packet filter is for all of them.

    @property
    def interfaces(self) -> str:
        return f"awa{_digest(self.prefix, 6)}"

    def slice_interface(self, index: int) -> str:
        """The bridge of the network that has this slice of the addresses."""
        return f"{self.interfaces}{index:04x}"

    def common_interface(self, name: str) -> str:
        """The bridge of a network that applications share; longer than those of slices."""
        return f"{self.interfaces}{_digest(name, 6)}"

    def built(self, slug: str, content_key: str) -> str:
        """The image that was built of one content; not all digits, unlike a deployment's tag."""
        return f"{self.image_repository(slug)}:built-{content_key}"

    def volume(self, slug: str, source: str) -> str:
        """A named volume; the underscore ends the slug, since `source` may hold dashes too."""
        return f"{self.prefix}-{slug}_{source}"

    def image_volume(self, slug: str, target: str) -> str:
        """The volume of a `VOLUME` of the image: begins with `_`, as no name given by a user can.

        A path that cannot stand in a name as it is has a digest, and begins with a second `_`.
        """
        path = target.strip("/")
        name = path.replace("/", "_")
        if not _PLAIN_TARGET.fullmatch(path):
            readable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:60]
            name = f"_{readable}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
        return self.volume(slug, f"_{name}")

    def owns_image(self, name: str) -> bool:
        """Whether an image's name is one that this installation gave it."""
        repositories = (self.pulled_repository, self.pulled_for_builds)
        ours = (f"{self.prefix}/", f"{self.proxy}/", *(f"{one}:" for one in repositories))
        return name.startswith(ours)

    def network(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def image_repository(self, slug: str) -> str:
        return f"{self.prefix}/{slug}"

    def image(self, slug: str, sequence: int) -> str:
        """Our tag on the image of one deployment; only such tags are ever removed."""
        return f"{self.image_repository(slug)}:{sequence}"

    @property
    def pulled_repository(self) -> str:
        return f"{self.prefix}-pulled/image"

    def pulled(self, digest: str) -> str:
        """The tag on an image that this installation pulled, so that it may remove it."""
        return f"{self.pulled_repository}:{digest.removeprefix('sha256:')}"

    def is_pulled(self, image: str) -> bool:
        return image.startswith(f"{self.pulled_repository}:")

    @property
    def pulled_for_builds(self) -> str:
        return f"{self.prefix}-pulled/for-builds"

    def for_builds(self, image_id: str) -> str:
        """The tag on an image that this installation pulled because builds need it."""
        return f"{self.pulled_for_builds}:{image_id.removeprefix('sha256:')}"

    def is_for_builds(self, image: str) -> bool:
        return image.startswith(f"{self.pulled_for_builds}:")

    def names_application(self, image: str) -> bool:
        """Whether an image's name says that a release of this installation needs it."""
        return image.startswith(f"{self.prefix}/")


def _digest(name: str, length: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:length]
