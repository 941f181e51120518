"""Git repositories as a source: where they are, which part is wanted, who may read it."""

import base64
import re
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator

from aweigh.domain import grammar
from aweigh.domain.secret import Secret
from aweigh.domain.value import Text, Value

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: What `git check-ref-format` takes, without the characters that mean something to a shell.
_REF: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@#=-]{0,249}")
_PATH: Final = re.compile(r"[A-Za-z0-9._@+ /-]{1,255}")
_REPOSITORY_PATH: Final = re.compile(r"/[A-Za-z0-9._~/+-]{1,255}")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PRIVATE_KEY: Final = re.compile(r"\s*-----BEGIN [A-Z ]*PRIVATE KEY-----\s")
_SCP: Final = re.compile(r"(?P<user>[^@/:]+)@(?P<host>[^/:]+):(?P<path>[^/].*)")


def is_commit(text: str) -> bool:
    """A full commit id: servers hand out nothing by a shortened one."""
    return _COMMIT.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """A branch or tag, as `git check-ref-format` takes it."""
    wrong = ("..", "//", "@{", "/.")
    ends = text.endswith(("/", ".", ".lock"))
    return _REF.fullmatch(text) is not None and not ends and not any(one in text for one in wrong)


def names_of(ref: str | None, branch: str) -> tuple[str, ...]:
    """The names on a server under which it is looked for, best first.

    What a deployment asks for may be a tag or a branch, and is the tag where there are both, as
    for git itself; `refs/heads/…` and `refs/tags/…` say which is meant. Without it, it is the
    branch and nothing else. An annotated tag is not yet a commit: `^{}` is the one it stands for.
    """
    if ref is None:
        return (f"refs/heads/{branch}",)
    if ref.startswith(("refs/heads/", "refs/tags/")):
        return (f"{ref}^{{}}", ref)
    return (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}")


def owner_of(repository: str) -> str:
    """The address below which an owner's repositories stand, with a slash at its end.

    https://github.com/acme/shop stands below https://github.com/acme/.
    """
    return repository.rpartition("/")[0] + "/"


def is_inside(path: str) -> bool:
    """A relative path that stays where it begins."""
    parts = path.split("/")
    return _PATH.fullmatch(path) is not None and not {"", ".", ".."} & set(parts)


def repository_url(text: str) -> str:
    """A repository's address in the one form in which it is stored.

    Raises:
        ValueError: it is not one that can be fetched from safely; says why.
    """
    if scp := _SCP.fullmatch(text):
        text = f"ssh://{scp['user']}@{scp['host']}/{scp['path']}"
    url = urlsplit(text)
    host = url.hostname or ""
    if url.scheme not in ("https", "ssh") and not (url.scheme == "http" and is_loopback(host)):
        raise ValueError("is not an https:// or ssh:// address (or git@host:path)")
    if url.query or url.fragment or not grammar.matches(grammar.HOST, host):
        raise ValueError("is not the address of a repository")
    if not _REPOSITORY_PATH.fullmatch(url.path) or not grammar.is_plain_path(url.path):
        raise ValueError("does not end in a repository's path")
    return f"{url.scheme}://{_user(url)}{_host(url)}{url.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """A host that is reached without TLS: nothing on the way could read along."""
    return host == "localhost" or re.fullmatch(r"127\.\d+\.\d+\.\d+", host) is not None


def _user(url: SplitResult) -> str:
    if url.password is not None or (url.username and url.scheme != "ssh"):
        raise ValueError("carries credentials; give them as `credentials`")
    if url.scheme != "ssh":
        return ""
    user = url.username or "git"
    if not _USER.fullmatch(user):
        raise ValueError("has a strange user name")
    return f"{user}@"


def _host(url: SplitResult) -> str:
    try:
        port = url.port
    except ValueError as error:
        raise ValueError("has no such port") from error
    return f"{url.hostname}:{port}" if port else str(url.hostname)


def _not_empty(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value():
        raise ValueError("is empty")
    return secret


class Token(Value):
    """An access token, for https."""

    type: Literal["token"] = "token"
    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,100}$")] = "x-access-token"
    token: Annotated[Secret, AfterValidator(_not_empty)]

    @property
    def secret(self) -> str:
        return self.token.get_secret_value()

    @property
    def basic(self) -> str:
        """User name and token as they stand in a header (RFC 7617)."""
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    @property
    def hidden(self) -> list[str]:
        """What no log may show."""
        return [self.secret, self.basic]


class DeployKey(Value):
    """A private key, for ssh; `known_hosts` pins the host's key, in the format of that file."""

    type: Literal["deploy_key"] = "deploy_key"
    private_key: Secret
    known_hosts: Annotated[Text, Field(min_length=1, max_length=20_000)]

    @field_validator("private_key")
    @classmethod
    def _private_key(cls, key: SecretStr) -> SecretStr:
        if not _PRIVATE_KEY.match(key.get_secret_value()):
            raise ValueError("is not a private key (-----BEGIN … PRIVATE KEY-----)")
        return key

    @property
    def secret(self) -> str:
        return self.private_key.get_secret_value()

    @property
    def hidden(self) -> list[str]:
        return [self.secret]


class Installation(Value):
    """An installation of this Aweigh's GitHub App, which may read the repository."""

    type: Literal["github_app"] = "github_app"
    installation: Annotated[int, Field(ge=1)]

    @property
    def hidden(self) -> list[str]:
        return []  # a token is fetched whenever one is needed


Credentials = Annotated[Token | DeployKey | Installation, Field(discriminator="type")]
