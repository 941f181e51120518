"""Names of all engine objects, derived so that a repeated step finds what it made."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Can be part of a name unchanged; other targets need a digest to stay distinct.
_PLAIN_TARGET: Final = re.compile(r"[A-Za-z0-9./-]{1,100}")
#: The lock of the proxy, which all applications of a server share.
SERVER_LOCK: Final = "server"
#: How the bridges of applications' networks begin, and that of builds, in all installations.
APPLICATION_BRIDGES: Final = "awa"
BUILD_BRIDGES: Final = "awb"
#: The lock of address assignment; held only briefly.
ADDRESS_LOCK: Final = "addresses"


@dataclass(frozen=True)
class Names:
    """Names under one prefix, which differs between two installations on an engine.

    A prefix contains no dash, dot or underscore, and a slug no dot or underscore. So each name can
    be split in only one way, and no two objects get the same name.
    """

    prefix: str

    @property
    def bridge(self) -> str:
        """The network that reserves the prefix and the addresses for this installation."""
        return self.prefix

    @property
    def proxy(self) -> str:
        return f"{self.prefix}-proxy"

    def container(self, slug: str, sequence: int, replica: int) -> str:
        return f"{self.prefix}-{slug}-{sequence}-{replica}"

    def release_container(self, slug: str, sequence: int) -> str:
        return f"{self.prefix}-{slug}-{sequence}-release"

    # A dot cannot occur in a prefix, so these names cannot clash with others.

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
        """Return the network on which the proxy reaches one application."""
        return f"{self.prefix}.application-{slug}"

    def is_application_network(self, name: str) -> bool:
        return name.startswith(self.application_network(""))

    def own_address(self, addresses: Mapping[str, str]) -> str:
        """Return a container's address on its application's network, or "".

        `addresses` are the container's, by network name.
        """
        return next((addresses[one] for one in addresses if self.is_application_network(one)), "")

    # The kernel allows 15 characters for an interface. The networks of all applications have a
    # common prefix, so that one rule of the packet filter covers them.

    @property
    def interfaces(self) -> str:
        return f"{APPLICATION_BRIDGES}{_digest(self.prefix, 6)}"

    def slice_interface(self, index: int) -> str:
        """Return the bridge of the network with this slice of the addresses."""
        return f"{self.interfaces}{index:04x}"

    def common_interface(self, name: str) -> str:
        """Return the bridge of a shared network; its name is longer than those for slices."""
        return f"{self.interfaces}{_digest(name, 6)}"

    def built(self, slug: str, content_key: str) -> str:
        """Return an image built from one content; a deployment's tag is all digits, this is not."""
        return f"{self.image_repository(slug)}:built-{content_key}"

    def volume(self, slug: str, source: str) -> str:
        """Return a named volume. The underscore ends the slug: `source` may contain dashes."""
        return f"{self.prefix}-{slug}_{source}"

    def image_volume(self, slug: str, target: str) -> str:
        """Return the volume of an image's `VOLUME`: starts with `_`, which users' names cannot.

        A path that cannot be used unchanged gets a digest and a second `_`.
        """
        path = target.strip("/")
        name = path.replace("/", "_")
        if not _PLAIN_TARGET.fullmatch(path):
            readable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:60]
            name = f"_{readable}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
        return self.volume(slug, f"_{name}")

    def owns_image(self, name: str) -> bool:
        """Whether this installation gave the image its name."""
        repositories = (self.pulled_repository, self.pulled_for_builds)
        ours = (f"{self.prefix}/", f"{self.proxy}/", *(f"{one}:" for one in repositories))
        return name.startswith(ours)

    def network(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def image_repository(self, slug: str) -> str:
        return f"{self.prefix}/{slug}"

    def image(self, slug: str, sequence: int) -> str:
        """Return the tag of one deployment's image; only such tags are ever removed."""
        return f"{self.image_repository(slug)}:{sequence}"

    @property
    def pulled_repository(self) -> str:
        return f"{self.prefix}-pulled/image"

    def pulled(self, digest: str) -> str:
        """Return the tag of an image that this installation pulled, and so may remove."""
        return f"{self.pulled_repository}:{digest.removeprefix('sha256:')}"

    def is_pulled(self, image: str) -> bool:
        return image.startswith(f"{self.pulled_repository}:")

    @property
    def pulled_for_builds(self) -> str:
        return f"{self.prefix}-pulled/for-builds"

    def for_builds(self, image_id: str) -> str:
        """Return the tag of an image that this installation pulled for builds."""
        return f"{self.pulled_for_builds}:{image_id.removeprefix('sha256:')}"

    def is_for_builds(self, image: str) -> bool:
        return image.startswith(f"{self.pulled_for_builds}:")

    def names_application(self, image: str) -> bool:
        """Whether the name marks an image that a release of this installation needs."""
        return image.startswith(f"{self.prefix}/")


def _digest(name: str, length: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:length]
