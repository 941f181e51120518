"""The page of a commit at GitHub, or at the GitHub Enterprise Server of the installation."""

from urllib.parse import urlsplit

from aweigh.deployments.repository import repository_key


def home_of(api_url: str) -> str:
    """Return the host whose repositories an API is for."""
    host = urlsplit(api_url).hostname or ""
    return "github.com" if host == "api.github.com" else host


def commit_page(repository: str, commit: str, api_url: str) -> str | None:
    """Return the address for people; None if the repository is not at this GitHub."""
    host, _, path = repository_key(repository).partition("/")
    at_github = host in ("github.com", home_of(api_url)) and path.count("/") == 1
    return f"https://{host}/{path}/commit/{commit}" if at_github else None
