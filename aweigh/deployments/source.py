"""The source of an application: an image, or a git repository."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from aweigh.core.model import Text, Value
from aweigh.deployments import repository as git
from aweigh.deployments.build_settings import Build, Buildpacks
from aweigh.deployments.image_reference import ImageReference, tag_and_digest
from aweigh.deployments.repository_path import directory
from aweigh.secrets.value import Secret


class PullPolicy(StrEnum):
    """When an image is pulled; `if_missing` uses an image of that name on the server."""

    IF_MISSING = "if_missing"
    ALWAYS = "always"
    NEVER = "never"


class Registry(Value):
    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Secret


class ImageSource(Value):
    """An image that is built elsewhere."""

    type: Literal["image"] = "image"
    image: str
    #: A tag, a digest, or `tag@digest`.
    tag: str | None = None
    pull: PullPolicy = PullPolicy.IF_MISSING
    registry: Registry | None = None

    @field_validator("image")
    @classmethod
    def _image(cls, image: str) -> str:
        reference = ImageReference.parse(image)
        if reference.tag and not reference.digest:
            raise ValueError("contains a tag; set it as `tag`")
        return image

    @field_validator("tag")
    @classmethod
    def _tag(cls, tag: str | None, info: ValidationInfo) -> str | None:
        if tag is not None:
            tag_and_digest(tag)
        if tag and "@" in info.data.get("image", ""):
            raise ValueError("the image has a digest, so a tag is not allowed")
        return tag

    @property
    def origin(self) -> str:
        """The host that the credentials are for."""
        return self.reference.registry

    @property
    def hidden_variables(self) -> list[str]:
        return []

    @property
    def secrets(self) -> list[str]:
        return [self.registry.password.get_secret_value()] if self.registry else []

    @property
    def reference(self) -> ImageReference:
        parsed = ImageReference.parse(self.image)
        if parsed.digest:
            return parsed
        tag, digest = tag_and_digest(self.tag or "latest")
        return ImageReference(repository=parsed.repository, tag=tag, digest=digest)

    def with_tag(self, tag: str) -> "ImageSource":
        """Return the same repository with another tag, digest, or `tag@digest`.

        Raises:
            ValueError: the text is neither a tag nor a digest.
        """
        tag_and_digest(tag)
        repository = ImageReference.parse(self.image).repository
        return self.model_copy(update={"image": repository, "tag": tag})


class GitSource(Value):
    """A repository whose image is built on the application's server."""

    type: Literal["git"] = "git"
    repository: str
    branch: str = "main"
    subdirectory: Annotated[str, AfterValidator(directory)] = ""
    auto_deploy: bool = True
    paths: tuple[Text, ...] = ()
    #: Patterns of tags whose push deploys, independently of `auto_deploy`.
    tags: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = ()
    submodules: bool = False
    lfs: bool = False
    credentials: git.Credentials | None = None
    build: Build = Buildpacks()

    @field_validator("repository")
    @classmethod
    def _repository(cls, repository: str) -> str:
        return git.repository_url(repository)

    @field_validator("branch")
    @classmethod
    def _branch(cls, branch: str) -> str:
        branch = branch.strip().removeprefix("refs/heads/")
        if not git.is_ref(branch):
            raise ValueError("is not a valid git branch name of at most 250 characters")
        return branch

    @field_validator("paths")
    @classmethod
    def _paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for path in paths:
            plain = path.removeprefix("./").lstrip("/")  # all paths start at the repository's root
            if not plain.strip("/") or {".", ".."} & set(plain.split("/")):
                raise ValueError(f"{path!r} is not a path inside the repository, such as `web/src`")
            found.append(plain)
        return tuple(found)

    @model_validator(mode="after")
    def _credentials_fit(self) -> "GitSource":
        over_ssh = self.repository.startswith("ssh:")
        if self.credentials and (self.credentials.type == "deploy_key") != over_ssh:
            raise ValueError("a deploy_key is for ssh:// addresses, others are for https://")
        return self

    @property
    def origin(self) -> str:
        """The scheme, user, host and port that the credentials are for."""
        url = urlsplit(self.repository)
        return f"{url.scheme}://{url.netloc}"

    @property
    def hidden_variables(self) -> list[str]:
        """The values of build variables and arguments that must not appear in a log."""
        return self.build.hidden_variables

    @property
    def secrets(self) -> list[str]:
        own = self.credentials.hidden if self.credentials else []
        return own + self.build.hidden


def _type(source: Any) -> str:
    return str(
        source.get("type", "image") if isinstance(source, dict) else getattr(source, "type", "")
    )


#: A source without a type is an image.
Source = Annotated[
    Annotated[ImageSource, Tag("image")] | Annotated[GitSource, Tag("git")],
    Discriminator(
        _type, custom_error_type="source_type", custom_error_message="type is neither image nor git"
    ),
]
