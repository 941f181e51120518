"""Git repositories as a source: their addresses, references and credentials."""

import base64
import re
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator

from aweigh.core import grammar
from aweigh.core.model import Text, Value, Written
from aweigh.deployments.private_key import private_key
from aweigh.secrets.value import Secret

#: SHA-1, or SHA-256 if the repository was made with it.
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHA256_DIGITS: Final = 64
#: The rules of `git check-ref-format`: no control characters, nor these.
_REF: Final = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]{1,250}")
#: The decoded path of a repository; Azure DevOps allows spaces in the names of projects.
_REPOSITORY_PATH: Final = re.compile(r"/[A-Za-z0-9._~/+ \x80-\U0010ffff-]{1,255}")
#: Characters of a path that are not percent-encoded, besides letters, digits and `_.-`.
_KEPT: Final = "/~+"
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
#: A person's user name; longer ones, and those with a forge's token prefix, may be tokens.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
_TOKEN: Final = re.compile(r"gh[a-z]_|github_pat_|glpat-|ATBB|ATCTT", re.IGNORECASE)
_SCP: Final = re.compile(r"(?P<user>[^@/:]+)@(?P<host>[^/:]+):(?P<path>.+)")
#: Hosts on which a path means the same with and without a leading slash.
_FORGES: Final = frozenset(
    {"github.com", "ssh.github.com", "gitlab.com", "altssh.gitlab.com", "bitbucket.org",
     "altssh.bitbucket.org", "codeberg.org"}
)  # fmt: skip
#: Other host names of GitHub; ssh.github.com serves ssh where port 22 is blocked.
_GITHUB: Final = frozenset({"www.github.com", "ssh.github.com"})
#: Prefix of a path that is relative to the user's home on the server.
_HOME: Final = "/~/"
_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}


def is_commit(text: str) -> bool:
    """Whether the text is a full commit id; servers do not resolve abbreviated ones."""
    return _COMMIT.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """Whether the text is a valid branch or tag name by `git check-ref-format --branch`.

    https://git-scm.com/docs/git-check-ref-format
    """
    if not _REF.fullmatch(text) or text.startswith("-") or text == "HEAD":
        return False
    if any("\ud800" <= char <= "\udfff" for char in text):  # a lone surrogate
        return False
    wrong = any(one in text for one in ("..", "@{")) or text.endswith(".")
    parts = text.split("/")
    return not wrong and not any(
        not part or part.startswith(".") or part.endswith(".lock") for part in parts
    )


def is_by_sha256(commit: str) -> bool:
    """Whether a commit id is from a repository made with `--object-format=sha256`."""
    return len(commit) == _SHA256_DIGITS


def names_of(ref: str | None, branch: str) -> tuple[str, ...]:
    """Return the full reference names to look up on a server, preferred first.

    `ref` can be a tag or a branch; a tag wins, as in git. `refs/heads/…` and `refs/tags/…` are
    unambiguous. Without `ref`, only the branch is looked up. `^{}` is the commit of an annotated
    tag.
    """
    if ref is None:
        return (f"refs/heads/{branch}",)
    if ref.startswith(("refs/heads/", "refs/tags/")):
        return (f"{ref}^{{}}", ref)
    return (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}")


def owner_of(repository: str) -> str:
    """Return the address below which an owner's repositories are, with a trailing slash.

    For https://github.com/acme/shop, that is https://github.com/acme/.
    """
    return repository.rpartition("/")[0] + "/"


def repository_url(text: str) -> str:
    """Return a repository's address in its stored form.

    Raises:
        ValueError: the address cannot be fetched from safely; the message says why.
    """
    text = text.strip()
    if scp := _SCP.fullmatch(text):
        text = f"ssh://{scp['user']}@{scp['host']}{_scp_path(scp['host'], scp['path'])}"
    url = urlsplit(text)
    host = (url.hostname or "").removesuffix(".")
    if url.scheme not in ("https", "ssh") and not (url.scheme == "http" and is_loopback(host)):
        raise ValueError("is not an https:// or ssh:// address (or git@host:path)")
    if url.query or url.fragment or not grammar.matches(grammar.HOST, host):
        raise ValueError("is not the address of a repository")
    return f"{url.scheme}://{_user(url)}{_host(url)}{_path(url)}"


def _scp_path(host: str, path: str) -> str:
    """Return the path of a URL; a path without a leading slash is relative to the user's home."""
    path = quote(path, _KEPT)
    if path.startswith("/"):
        return path
    return (
        f"/{path}"
        if path.startswith("~") or host.lower().removesuffix(".") in _FORGES
        else f"{_HOME}{path}"
    )


def fetch_address(repository: str) -> str:
    """Return a stored address in git's form: `user@host:path` for paths relative to the home.

    `/~/…` is understood only by servers that offer a shell.
    """
    url = urlsplit(repository)
    if url.scheme != "ssh" or url.port or not url.path.startswith(_HOME):
        return repository
    return f"{url.username}@{url.hostname}:{unquote(url.path).removeprefix(_HOME)}"


def path_on(repository: str) -> str:
    """Return the path of a repository on its server, as the server's own tools take it."""
    path = unquote(urlsplit(repository).path)
    return path.removeprefix(_HOME) if path.startswith(_HOME) else path.removeprefix("/")


def repository_key(url: str) -> str:
    """Return one key for all spellings of a repository's address.

    Raises:
        ValueError: the text is not an address.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    named = parts.port not in (None, _PORTS.get(parts.scheme)) and parts.scheme != "ssh"
    where = f"{host}:{parts.port}" if named else "github.com" if host in _GITHUB else host
    return f"{where}/{path_on(url).strip('/').removesuffix('.git').rstrip('/')}".lower()


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, which can be reached safely without TLS."""
    return host == "localhost" or re.fullmatch(r"127\.\d+\.\d+\.\d+", host) is not None


def _user(url: SplitResult) -> str:
    secret = url.password is not None
    if url.scheme != "ssh" and url.username:
        # Bitbucket and Azure DevOps show addresses that contain a person's name.
        secret = secret or not _NAME.fullmatch(url.username) or bool(_TOKEN.match(url.username))
    if secret:
        raise ValueError("contains credentials; set `credentials` instead")
    if url.scheme != "ssh":
        return ""
    user = url.username or "git"
    if not _USER.fullmatch(user):
        raise ValueError("has an invalid user name")
    return f"{user}@"


def _path(url: SplitResult) -> str:
    """Return the path with spaces and non-ASCII characters percent-encoded (RFC 3986).

    Raises:
        ValueError: this is not the path of a repository.
    """
    meant = unquote(url.path)
    as_written = " " not in url.path and "%2f" not in url.path.lower() and "\ufffd" not in meant
    is_path = _REPOSITORY_PATH.fullmatch(meant) and meant.isprintable()
    if not (as_written and is_path and grammar.is_plain_path(meant)):
        raise ValueError("has no valid repository path")
    return quote(meant.rstrip("/"), _KEPT)


def _host(url: SplitResult) -> str:
    try:
        port = url.port
    except ValueError as error:
        raise ValueError("has no such port") from error
    host = str(url.hostname).removesuffix(".")
    if url.scheme == "https" and host in _GITHUB:
        host = "github.com"
    return f"{host}:{port}" if port and port != _PORTS[url.scheme] else host


def _not_empty(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value():
        raise ValueError("is empty")
    return secret


_Username = Written(
    re.compile(r"[A-Za-z0-9_.@-]{1,100}"),
    "is not a valid user name (letters, digits and _.@-, at most 100 characters)",
)


class Token(Value):
    """An access token, for https."""

    type: Literal["token"] = "token"
    username: Annotated[str, _Username] = "x-access-token"
    token: Annotated[Secret, AfterValidator(_not_empty)]

    @property
    def secret(self) -> str:
        return self.token.get_secret_value()

    @property
    def basic(self) -> str:
        """Return the credentials of the Basic scheme (RFC 7617)."""
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()

    @property
    def hidden(self) -> list[str]:
        """Values that must not appear in a log."""
        return [self.secret, self.basic]


class DeployKey(Value):
    """A private key, for ssh; `known_hosts` pins the host's key, in the format of that file."""

    type: Literal["deploy_key"] = "deploy_key"
    private_key: Secret
    known_hosts: Annotated[Text, Field(min_length=1, max_length=20_000)]

    @field_validator("private_key")
    @classmethod
    def _private_key(cls, key: SecretStr) -> SecretStr:
        return SecretStr(private_key(key.get_secret_value()))

    @property
    def secret(self) -> str:
        return self.private_key.get_secret_value()

    @property
    def hidden(self) -> list[str]:
        return [self.secret]


class AppInstallation(Value):
    """An installation of this Aweigh's GitHub App that may read the repository."""

    type: Literal["github_app"] = "github_app"
    installation: Annotated[int, Field(ge=1)]

    @property
    def hidden(self) -> list[str]:
        return []  # a token is requested whenever one is needed


Credentials = Annotated[Token | DeployKey | AppInstallation, Field(discriminator="type")]
