"""What the demo's images are called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoImages:
    """Repositories below the installation's own, so that `scripts/down --purge` removes them."""

    prefix: str

    @property
    def application(self) -> str:
        """The sample application, one tag a version."""
        return f"{self.prefix}/demo/application"

    @property
    def base(self) -> str:
        """The image that all others are derived from."""
        return f"{self.prefix}/demo/base"

    @property
    def builder(self) -> str:
        """The demo's own builder, made where the default one cannot be pulled."""
        return f"{self.prefix}/demo/builder"
