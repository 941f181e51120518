"""A release as a server worker sees it: an immutable pair of an image and settings."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from aweigh.core.model import Text
from aweigh.core.text import printable
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.hidden_values import hidden_values
from aweigh.deployments.image_reference import ImageReference
from aweigh.deployments.source import GitSource, ImageSource

#: The digits of a commit or digest in a label: as many as git shows.
_SHORT_COMMIT: Final = 7


class Image(BaseModel):
    """An image: the requested reference and, once known, its content."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    reference: Text
    id: Text | None = None
    digest: Text | None = None


class Commit(BaseModel):
    """The commit that a release is built from."""

    model_config = ConfigDict(frozen=True)

    id: Text
    #: The first line of its message, masked; None until the commit has been read.
    subject: Text | None = None


class Release(BaseModel):
    """The release of one deployment on one server."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    deployment: str
    application: str
    slug: str
    server: str
    sequence: int
    image: Image
    #: For a git source: the requested branch, tag or commit, and the commit once known. A push has
    #: no ref: it is built at the pushed commit.
    ref: str | None = None
    commit: str | None = None
    #: Rebuild the image, even if one of the same content exists.
    rebuild: bool = False
    settings: ApplicationSettings

    @property
    def secrets(self) -> list[str]:
        """The values that must not appear in the log of its deployment."""
        shown = (self.slug, self.server, self.ref or "", self.commit or "")
        return hidden_values(self.settings, *shown)

    @property
    def label(self) -> str:
        return label_of(self.settings.source, self.image.reference, self.ref, self.commit)


def label_of(
    source: GitSource | ImageSource, reference: str, ref: str | None, commit: str | None
) -> str:
    """Return a short label of what is deployed: `v2.0.1`, `main (3f2a91c)`, `sha256:9f86d08`."""
    if isinstance(source, GitSource):
        short = (commit or "")[:_SHORT_COMMIT]
        asked = reference.partition("#")[2]
        if asked == commit:  # requested by a push of the branch, or else by a person
            asked = "" if ref else source.branch
        return printable(f"{asked} ({short})" if asked and short else asked or short)
    image = ImageReference.parse(reference)
    algorithm, _, digest = (image.digest or "").partition(":")
    return image.tag or f"{algorithm}:{digest[:_SHORT_COMMIT]}"
