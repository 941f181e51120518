"""References to container images."""

import re
from dataclasses import dataclass, replace

# The grammar of github.com/distribution/reference, which the Docker engine uses.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = (
    r"(?:localhost|(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?"
)
_REPOSITORY = re.compile(rf"(?:(?P<registry>{_DOMAIN})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")

DEFAULT_REGISTRY = "docker.io"
#: An alias of it that the engine accepts.
_INDEX = "index.docker.io"


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def tag_and_digest(text: str) -> tuple[str | None, str | None]:
    """Parse the part that selects an image in a repository: a tag, a digest, or `tag@digest`.

    Raises:
        ValueError: the text has another form.
    """
    if is_digest(text):
        return None, text
    tag, at, digest = text.partition("@")
    if not is_tag(tag) or (at and not is_digest(digest)):
        raise ValueError(
            "is not an image tag (letters, digits, '_', '.', '-'; at most 128), a digest "
            "(sha256: and 64 hexadecimal digits), or both (tag@digest)"
        )
    return tag, digest or None


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """An image by repository and tag or digest, as for `docker pull`.

    With both, the digest selects the image, and the tag is for people.
    """

    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Parse `[registry/]path[:tag][@digest]`.

        Raises:
            ValueError: the text is not an image reference; the message says which part is wrong.
        """
        rest, at, digest = text.partition("@")
        if at and not is_digest(digest):
            raise ValueError(f"{digest!r} is not a digest (sha256: and 64 hexadecimal digits)")
        head, slash, last = rest.rpartition("/")
        name, colon, tag = last.partition(":")
        if colon and not is_tag(tag):
            raise ValueError(f"{tag!r} is not a tag")
        repository = f"{head}{slash}{name}"
        if len(repository) > 255 or not _REPOSITORY.fullmatch(repository):
            raise ValueError(f"{repository!r} is not an image repository")
        return cls(repository=repository, tag=tag or None, digest=digest or None)

    @property
    def registry(self) -> str:
        first, slash, _ = self.repository.partition("/")
        host = "." in first or ":" in first or first == "localhost" or first != first.lower()
        return first if slash and host and first != _INDEX else DEFAULT_REGISTRY

    @property
    def full_repository(self) -> str:
        """The repository with its registry, in a normal form."""
        registry = self.registry
        if registry != DEFAULT_REGISTRY:
            return registry.lower() + self.repository.removeprefix(registry)
        path = self.repository.removeprefix(f"{DEFAULT_REGISTRY}/").removeprefix(f"{_INDEX}/")
        return f"{DEFAULT_REGISTRY}/{path if '/' in path else f'library/{path}'}"

    @property
    def exact(self) -> "ImageReference":
        """The reference for the engine: without the tag if there is a digest."""
        return self.at(self.digest) if self.digest else self

    def at(self, digest: str) -> "ImageReference":
        return replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"
