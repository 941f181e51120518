"""Where an application comes from."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from aweigh.domain.image import ImageReference, is_digest, is_tag
from aweigh.domain.secret import Secret
from aweigh.domain.value import Value


class PullPolicy(StrEnum):
    """When the registry is asked: `if_missing` takes an image of that name from the server."""

    IF_MISSING = "if_missing"
    ALWAYS = "always"
    NEVER = "never"


class Registry(Value):
    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Secret


class ImageSource(Value):
    """An image that somebody else builds."""

    type: Literal["image"] = "image"
    image: str
    tag: str | None = None
    pull: PullPolicy = PullPolicy.IF_MISSING
    registry: Registry | None = None

    @field_validator("image")
    @classmethod
    def _image(cls, image: str) -> str:
        if ImageReference.parse(image).tag:
            raise ValueError("carries a tag; give it as `tag`")
        return image

    @field_validator("tag")
    @classmethod
    def _tag(cls, tag: str | None, info: ValidationInfo) -> str | None:
        if tag is not None and not is_tag(tag):
            raise ValueError("is not an image tag (letters, digits, '_', '.', '-'; at most 128)")
        if tag and "@" in info.data.get("image", ""):
            raise ValueError("the image carries a digest, so there can be no tag")
        return tag

    @property
    def reference(self) -> ImageReference:
        parsed = ImageReference.parse(self.image)
        if parsed.digest:
            return parsed
        return ImageReference(repository=parsed.repository, tag=self.tag or "latest")

    def with_tag(self, tag: str) -> "ImageSource":
        """The same repository at another tag or digest."""
        repository = ImageReference.parse(self.image).repository
        if is_digest(tag):
            return self.model_copy(update={"image": f"{repository}@{tag}", "tag": None})
        return ImageSource.model_validate({**dict(self), "image": repository, "tag": tag})
