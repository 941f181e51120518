"""A release as a server worker sees it: an immutable pair of an image and settings."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from aweigh.core.model import Text
from aweigh.core.text import printable
from aweigh.deployments.application import ApplicationSettings
from aweigh.deployments.source import GitSource
from aweigh.images.reference import ImageReference
from aweigh.secrets.hidden import hidden_values

#: Digits of a commit or digest that people read: as many as git shows.
_SHORT_COMMIT: Final = 7


class Image(BaseModel):
    """An image: what was asked for and, once known, what it is by content."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    reference: Text
    id: Text | None = None
    digest: Text | None = None


class Release(BaseModel):
    """What one deployment makes live on one server."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    deployment: str
    application: str
    slug: str
    server: str
    sequence: int
    image: Image
    #: Of a git source: the branch, tag or commit that was asked for, and the commit once known.
    #: A push asks for its branch, at the commit that GitHub says it had.
    ref: str | None = None
    commit: str | None = None
    #: The image is made anew, even if one of the same content is there.
    rebuild: bool = False
    settings: ApplicationSettings

    @property
    def secrets(self) -> list[str]:
        """Every value that no log of its deployment may show."""
        shown = (self.slug, self.server, self.ref or "", self.commit or "")
        return hidden_values(self.settings, *shown)

    @property
    def label(self) -> str:
        """What is deployed, in a few characters: `v2.0.1`, `main (3f2a91c)`, `sha256:9f86d08`."""
        source = self.settings.source
        if isinstance(source, GitSource):
            commit = (self.commit or "")[:_SHORT_COMMIT]
            asked = self.image.reference.partition("#")[2]
            if asked == self.commit:  # by a push of the branch, else by a person
                asked = "" if self.ref else source.branch
            return printable(f"{asked} ({commit})" if asked and commit else asked or commit)
        reference = ImageReference.parse(self.image.reference)
        algorithm, _, digest = (reference.digest or "").partition(":")
        return reference.tag or f"{algorithm}:{digest[:_SHORT_COMMIT]}"
