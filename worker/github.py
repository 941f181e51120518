"""The GitHub client of the API and the control worker."""

from functools import partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aweigh.core.errors import StartupError
from aweigh.core.settings import Settings
from aweigh.core.threads import in_thread
from aweigh.core.tls import trusted
from aweigh.github.app import App, GitHub
from worker.secrets import read_secret


async def open_github(settings: Settings) -> GitHub:
    """Return the client. Raises: StartupError: a GitHub App's file is unreadable or invalid."""
    await in_thread(partial(trusted, as_environment_says=True))
    return GitHub(settings.github_api_url, _app(settings))


def _app(settings: Settings) -> App | None:
    if settings.github_app_key_file is None:
        return None
    key, secret_file = (
        read_secret(settings.github_app_key_file),
        settings.github_app_webhook_secret_file,
    )
    try:
        usable = isinstance(load_pem_private_key(key.encode(), None), RSAPrivateKey)
    except (ValueError, TypeError):
        usable = False
    if not usable:
        raise StartupError(
            f"AWEIGH_GITHUB_APP_KEY_FILE: {settings.github_app_key_file} is not an RSA key in PEM; "
            "generate one on the App's settings page"
        )
    return App(
        id=settings.github_app_id,
        private_key=key,
        webhook_secret=read_secret(secret_file) if secret_file else "",
    )
