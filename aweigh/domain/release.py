"""A release as a server worker sees it: an immutable pair of an image and settings."""

from pydantic import BaseModel, ConfigDict

from aweigh.domain.application import ApplicationSettings


class Image(BaseModel):
    """An image: what was asked for and, once known, what it is by content."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    reference: str
    id: str | None = None
    digest: str | None = None


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
