"""The names of everything Aweigh makes on an engine, derived so that a repeated step finds them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Names under one prefix; two installations on an engine differ in it."""

    prefix: str

    @property
    def bridge(self) -> str:
        """The network on which the proxy reaches the applications."""
        return self.prefix

    @property
    def proxy(self) -> str:
        return f"{self.prefix}-proxy"

    def container(self, slug: str, sequence: int, replica: int) -> str:
        return f"{self.prefix}-{slug}-{sequence}-{replica}"

    def release_container(self, slug: str, sequence: int) -> str:
        return f"{self.prefix}-{slug}-{sequence}-release"

    def volume(self, slug: str, source: str) -> str:
        return f"{self.prefix}-{slug}-{source}"

    def owns_image(self, name: str) -> bool:
        """Whether an image's name is one that this installation gave it."""
        ours = (f"{self.prefix}/", f"{self.proxy}/", f"{self.pulled_repository}:", f"{self.demo}:")
        return name.startswith(ours)

    @property
    def demo(self) -> str:
        """The repository of the demo's images."""
        return f"{self.prefix}-demo/application"

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
        """The mark on an image that this installation pulled, so that it may remove it."""
        return f"{self.pulled_repository}:{digest.removeprefix('sha256:')}"

    def names_application(self, image: str) -> bool:
        """Whether an image's name says that a release of this installation needs it."""
        return image.startswith(f"{self.prefix}/")
